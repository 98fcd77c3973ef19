//! Request and response types of the HTTP API, version 1.
//!
//! They hold texts, numbers and JSON, and know nothing of any other crate: what is a valid ref,
//! name or time is said by those who read them. Unknown members of requests are errors.

mod bundles;
mod credentials;
mod decisions;
mod delegations;
mod entries;
mod epochs;
mod erasing;
mod explain;
mod flags;
mod health;
mod holds;
mod openings;
mod permits;
mod problem;
mod replay;
mod reviews;
mod tools;
mod turns;
mod vault;

pub use bundles::{
    BundleCurrent, BundleStored, DirectoryChanged, DirectoryLine, FindingView, SetCurrentBundle,
    ShadowEnded,
};
pub use credentials::{CredentialCreated, CredentialList, CredentialView, NewCredential};
pub use decisions::{
    DecisionAnswer, DecisionRequest, ExecutionAnswer, ExecutionRequest, LinksRequest, ReasonView,
    ResolutionView, WireRequest, WorkspaceRequest,
};
pub use delegations::{DelegationAnswer, DelegationRequest};
pub use entries::{EntryAnswer, EntryPage, Head, ProofAnswer};
pub use epochs::{BeginEpoch, CompleteRequest, Completion};
pub use erasing::{EraseRequest, Erased, KindCount, Selection};
pub use explain::{
    EvidenceView, Explanation, LackView, PolicyView, ProofView, Sealable, TargetView, ValueView,
};
pub use flags::{FlagChanged, FlagDetail, FlagList, FlagView};
pub use health::HealthView;
pub use holds::{HoldList, HoldPlaced, HoldReleased, HoldRequest, HoldView, ReleaseRequest};
pub use openings::{OpeningConfirmed, OpeningRequested, OpeningView};
pub use permits::{ConsumeRequest, Consumed};
pub use problem::Problem;
pub use replay::{ReplayChange, ReplayPage, ReplayRequest};
pub use reviews::{
    OpenReview, ReviewAnswered, ReviewList, ReviewRequest, ReviewShown, Shown, ShownBefore,
    ShownCarried, ShownDifference, ShownRule, ShownTarget,
};
pub use tools::{VisibleAnswer, VisibleRequest};
pub use turns::{
    CloseSession, OpenSession, Revoked, SessionClosed, SessionOpened, StopRequest, TurnAnswer,
    TurnPartRequest, TurnRequest,
};
pub use vault::{OpenRequest, Opened};

/// JSON that is passed on as the bytes that it came as.
pub type RawJson = Box<serde_json::value::RawValue>;
