//! The texts against the specifications' vectors, an implementation by others, and bad input.

#[cfg(test)]
mod checkpoint;
#[cfg(test)]
mod corpus;
#[cfg(test)]
mod key;
#[cfg(test)]
mod malformed;
#[cfg(test)]
#[cfg(feature = "ml-dsa")]
mod ml_dsa;
#[cfg(test)]
mod oracle;
#[cfg(test)]
mod policy;
#[cfg(test)]
mod proof;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod support;
#[cfg(test)]
mod vectors;
#[cfg(test)]
mod verify;
