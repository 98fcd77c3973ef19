//! How a kind of entry is declared: once, so that documentation, tests and tables that go over
//! every member of every kind cannot forget one.

use serde::{Serialize, de::DeserializeOwned};

/// A member of an entry, and what it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member {
    /// Its name in the leaf.
    pub name: &'static str,
    /// What it holds.
    pub doc: &'static str,
    /// The type that reads it, as its declaration names it; for the documentation.
    pub holds: &'static str,
    /// Whether it is left out when there is none. Every other member always stands in the leaf.
    pub is_optional: bool,
}

/// A kind of entry.
pub trait Kind: Serialize + DeserializeOwned {
    /// What `kind` says in the leaf.
    const KIND: &'static str;
    /// What the kind is.
    const DOC: &'static str;
    /// Its own members, beside [`super::COMMON_MEMBERS`].
    const MEMBERS: &'static [Member];
}

/// Declares the struct of a kind, with a text for every member. A member after `optional` is left
/// out of the leaf when there is none; every other member always stands in it, if only as `null`.
macro_rules! entry_kind {
    (
        #[doc = $doc:literal]
        $name:ident = $kind:literal {
            $(#[doc = $member_doc:literal] $member:ident: $type:ty,)*
            $(optional { $(#[doc = $optional_doc:literal] $optional:ident: $optional_type:ty,)* })?
        }
    ) => {
        #[doc = $doc]
        #[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct $name {
            $(#[doc = $member_doc] pub $member: $type,)*
            $($(
                #[doc = $optional_doc]
                #[serde(default, skip_serializing_if = "Option::is_none")]
                pub $optional: Option<$optional_type>,
            )*)?
        }

        impl crate::entry::Kind for $name {
            const KIND: &'static str = $kind;
            const DOC: &'static str = $doc;
            const MEMBERS: &'static [crate::entry::Member] = &[
                $(crate::entry::Member {
                    name: stringify!($member),
                    doc: $member_doc,
                    holds: stringify!($type),
                    is_optional: false,
                },)*
                $($(crate::entry::Member {
                    name: stringify!($optional),
                    doc: $optional_doc,
                    holds: stringify!($optional_type),
                    is_optional: true,
                },)*)?
            ];
        }
    };
}

pub(super) use entry_kind;
