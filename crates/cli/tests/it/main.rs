//! The real binary, as people and scripts use it.

#[cfg(test)]
mod backing_up;
#[cfg(test)]
mod cases;
#[cfg(test)]
mod commands;
#[cfg(test)]
mod delegating;
#[cfg(test)]
mod demo;
#[cfg(test)]
mod docs;
#[cfg(test)]
mod doctoring;
#[cfg(test)]
mod epochs;
#[cfg(test)]
mod erasing;
#[cfg(test)]
mod fetching;
#[cfg(test)]
mod flagging;
#[cfg(test)]
mod fsck;
#[cfg(test)]
mod gating;
#[cfg(test)]
mod guards;
#[cfg(test)]
mod handing_over;
#[cfg(test)]
mod hints;
#[cfg(test)]
mod hooking;
#[cfg(test)]
mod incidents;
#[cfg(test)]
mod keys;
#[cfg(test)]
mod managed;
#[cfg(test)]
mod manifests;
#[cfg(test)]
mod monitoring;
#[cfg(test)]
mod newcomer;
#[cfg(test)]
mod notifying;
#[cfg(test)]
mod observing;
#[cfg(test)]
mod output;
#[cfg(test)]
mod peers;
#[cfg(test)]
mod relayed;
#[cfg(test)]
mod relaying;
#[cfg(test)]
mod reviewing;
#[cfg(test)]
mod second_key;
#[cfg(test)]
mod serving;
#[cfg(test)]
mod settings;
#[cfg(test)]
mod shadow;
#[cfg(test)]
mod support;
#[cfg(test)]
mod vault;
#[cfg(test)]
mod verifying;
#[cfg(test)]
mod witnessing;
