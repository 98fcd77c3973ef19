//! The tree against implementations by others, against tampering, and at sizes without a disk.

#[cfg(test)]
mod corpus;
#[cfg(test)]
mod layout;
#[cfg(test)]
mod oracle;
#[cfg(test)]
mod source;
#[cfg(test)]
mod support;
#[cfg(test)]
mod tampering;
#[cfg(test)]
mod vectors;
#[cfg(test)]
mod virtual_tree;
