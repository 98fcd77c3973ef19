//! The ledger over the real store: what it promises, and what it does when its surroundings fail.

#[cfg(test)]
mod append;
#[cfg(test)]
mod backup;
#[cfg(test)]
mod crash;
#[cfg(test)]
mod disk;
#[cfg(test)]
mod erase;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod fsck;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod publish;
#[cfg(test)]
mod query;
mod rewrap;
#[cfg(test)]
mod signatures;
#[cfg(test)]
mod start;
#[cfg(test)]
mod support;
#[cfg(test)]
mod throughput;
#[cfg(test)]
mod units;
#[cfg(test)]
mod wrapper;
