//! Telling people, over real connections: a listener of HTTP and one of SMTP, kind ones and others.

#[cfg(test)]
mod corpus;
#[cfg(test)]
mod encrypted;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod mailing;
#[cfg(test)]
mod ordering;
#[cfg(test)]
mod peers;
#[cfg(test)]
mod receiver;
#[cfg(test)]
mod settings;
#[cfg(test)]
mod silence;
#[cfg(test)]
mod smtp;
#[cfg(test)]
mod support;
