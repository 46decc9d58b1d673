//! `restored`: the store was put back to an older state.

use super::{Common, Deployment, Exit};

/// Takes the store of every clinic asked for as put back.
pub async fn run(common: &Common) -> anyhow::Result<Exit> {
    let deployment = Deployment::open(common).await?;
    for clinic in deployment.clinics() {
        let id = deployment.store.clinic_ensure(&clinic.slug).await?;
        let erasures = deployment.reconciler().restored(id, &clinic.slug).await?;
        println!(
            "clinic `{}`: every list's next run is a first run and waits for an admin; {erasures} erasures replayed",
            clinic.slug
        );
    }
    if deployment.config.register.is_none() {
        println!(
            "There is no register ([store] register): erasures made since the backup are known only as far as the clinics' records still say so"
        );
    }
    Ok(Exit::InStep)
}
