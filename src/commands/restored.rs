//! `restored`: the store was put back to an older state.

use super::acting::{By, Deed};
use super::{Common, Deployment, Exit};
use crate::reconcile::Chain;

/// Takes the store of every clinic asked for as put back.
pub async fn run(common: &Common, by: By) -> anyhow::Result<Exit> {
    let deployment = Deployment::open(common).await?;
    let clinics = deployment.clinics_meant().await?;
    let deed = Deed { clinics, ..Deed::new("restored", &by.by) };
    deployment.on_record(deed, restored(&deployment)).await
}

async fn restored(deployment: &Deployment) -> anyhow::Result<Exit> {
    let reconciler = deployment.reconciler();
    for clinic in deployment.clinics() {
        let id = deployment.store.clinic_ensure(&clinic.slug).await?;
        let erasures = reconciler.restored(id, &clinic.slug).await?;
        reconciler.verify(Chain::Ledger(id, &clinic.slug)).await?;
        println!(
            "clinic `{}`: every list's next run is a first run and waits for an admin; {erasures} erasures replayed",
            clinic.slug
        );
    }
    // What was missed of the chains is missed no more.
    reconciler.verify(Chain::Audit).await?;
    if deployment.config.register.is_none() {
        println!(
            "There is no register ([store] register): erasures made since the backup are known only as far as the clinics' records still say so"
        );
    }
    Ok(Exit::InStep)
}
