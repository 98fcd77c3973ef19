//! What tools returned, as executions.
