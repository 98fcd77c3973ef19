//! The witness against logs that behave, and against whatever else may send it a request.

#[cfg(test)]
mod corpus;
#[cfg(test)]
mod kit;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod requests;
#[cfg(test)]
mod rules;
#[cfg(test)]
mod stored;
