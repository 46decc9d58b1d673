//! What statements pass on their way to the database: nothing in production; in a rehearsal, who puts
//! them in order and refuses some.

use std::any::Any;
use std::fmt::Debug;

use async_trait::async_trait;

/// Held while a statement, or a whole transaction, is under way.
pub type Pass = Box<dyn Any + Send>;

/// Stands before a database.
#[async_trait]
pub trait Barrier: Debug + Send + Sync {
    /// Lets a statement outside of any transaction, or a whole transaction, begin.
    async fn enter(&self) -> Pass;

    /// Refuses a statement as a database would that is away, full, or only to be read.
    fn allow(&self, writes: bool) -> Result<(), sqlx::Error>;
}
