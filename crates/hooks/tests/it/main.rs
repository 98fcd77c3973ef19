//! The handler and the settings file from outside.

#[cfg(test)]
mod corpus;
#[cfg(test)]
mod settings;
#[cfg(test)]
mod without_server;
