//! Reports and feeds while the process lives: both are work that Amazon does later, with a document at its end.

use super::{Amazon, caller::Caller, errors::Refusal, sample::iso};
use crate::{clock::Timestamp, entropy};
use axum::Json;
use serde_json::{Map, Value, json};
use std::collections::VecDeque;

/// Which of the two APIs a job belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    Report,
    Feed,
}

impl Family {
    fn name(self) -> &'static str {
        match self {
            Self::Report => "report",
            Self::Feed => "feed",
        }
    }
}

/// One report or feed. It is done as soon as it is made: a test that wants to wait asks the simulator to be slow.
#[derive(Clone)]
pub(super) struct Job {
    family: Family,
    pub(super) id: String,
    pub(super) seller: String,
    pub(super) type_name: String,
    marketplaces: Vec<String>,
    created_at: Timestamp,
    pub(super) document: String,
    cancelled: bool,
}

/// The latest jobs and the documents that feeds uploaded, oldest first.
#[derive(Default)]
pub(super) struct Jobs {
    jobs: VecDeque<Job>,
    uploads: VecDeque<Upload>,
}

/// A document that a feed's maker was given a place for.
#[derive(Clone)]
pub(super) struct Upload {
    pub(super) document: String,
    pub(super) seller: String,
    pub(super) received_bytes: Option<usize>,
}

impl Jobs {
    /// Finds a job by the document at its end, whoever's it is.
    pub(super) fn by_document(&self, document: &str) -> Option<&Job> {
        self.jobs.iter().find(|job| job.document == document)
    }

    /// Finds a place for an upload.
    pub(super) fn upload(&mut self, document: &str) -> Option<&mut Upload> {
        self.uploads.iter_mut().find(|upload| upload.document == document)
    }

    /// Makes a place for an upload.
    pub(super) fn upload_add(&mut self, upload: Upload) {
        bounded_push(&mut self.uploads, upload);
    }

    fn own(&mut self, family: Family, caller: &Caller, id: &str) -> Result<&mut Job, Refusal> {
        let seller = &caller.seller.selling_partner_id;
        let own = |job: &&mut Job| job.family == family && job.id == id && &job.seller == seller;
        let job = self.jobs.iter_mut().find(own);
        job.ok_or_else(|| Refusal::NotFound(format!("The {} {id} was not found.", family.name())))
    }
}

fn bounded_push<T>(queue: &mut VecDeque<T>, item: T) {
    if queue.len() == MOST_KEPT {
        queue.pop_front();
    }
    queue.push_back(item);
}

impl Amazon {
    /// Makes a job for the caller and returns its id, eleven digits. The digits are random, so that an id from before a
    /// restart does not come to mean another report.
    pub(super) fn job_make(&self, family: Family, caller: &Caller, type_name: String, shops: Vec<String>) -> String {
        let number = u64::from_be_bytes(entropy::make_array(self.entropy())) % 9_000_000_000;
        let id = format!("5{:010}", 1_000_000_000 + number);
        let job = Job {
            family,
            id: id.clone(),
            seller: caller.seller.selling_partner_id.clone(),
            type_name,
            marketplaces: shops,
            created_at: self.now(),
            document: self.make_document_id(caller),
            cancelled: false,
        };
        bounded_push(&mut self.0.jobs.lock().jobs, job);
        id
    }

    /// Lets the caller at a document of its own, through the API that made it and no other.
    pub(super) fn document_check(&self, family: Family, caller: &Caller, document: &str) -> Result<(), Refusal> {
        let jobs = self.0.jobs.lock();
        let job = jobs.by_document(document).filter(|job| job.family == family);
        match job.filter(|job| job.seller == caller.seller.selling_partner_id) {
            Some(_) => Ok(()),
            None => Err(Refusal::NotFound(format!("The {} document {document} was not found.", family.name()))),
        }
    }

    pub(super) fn make_document_id(&self, caller: &Caller) -> String {
        format!("amzn1.spdoc.1.4.{}.{}", caller.seller.region.name(), self.make_id())
    }

    pub(super) fn job_show(&self, family: Family, caller: &Caller, id: &str) -> Result<Json<Value>, Refusal> {
        let mut jobs = self.0.jobs.lock();
        Ok(Json(jobs.own(family, caller, id)?.shown()))
    }

    pub(super) fn job_cancel(
        &self,
        family: Family,
        caller: &Caller,
        id: &str,
    ) -> Result<Json<Map<String, Value>>, Refusal> {
        self.0.jobs.lock().own(family, caller, id)?.cancelled = true;
        Ok(Json(Map::new()))
    }

    /// Lists the caller's jobs, newest first, of the types and states that the query names.
    pub(super) fn job_list(&self, family: Family, caller: &Caller) -> Result<Vec<Value>, Refusal> {
        let (types, size) = match family {
            Family::Report => (caller.query.list("reportTypes"), caller.query.size("pageSize", 10, 100)?),
            Family::Feed => (caller.query.list("feedTypes"), caller.query.size("pageSize", 10, 100)?),
        };
        let statuses = caller.query.list("processingStatuses");
        let jobs = self.0.jobs.lock();
        let own =
            jobs.jobs.iter().rev().filter(|job| job.family == family && job.seller == caller.seller.selling_partner_id);
        let of_type = own.filter(|job| types.is_empty() || types.contains(&job.type_name.as_str()));
        let matching = of_type.filter(|job| statuses.is_empty() || statuses.contains(&job.status()));
        Ok(matching.take(size).map(Job::shown).collect())
    }
}

impl Job {
    fn status(&self) -> &'static str {
        if self.cancelled { "CANCELLED" } else { "DONE" }
    }

    fn shown(&self) -> Value {
        let (id, type_name, document) = match self.family {
            Family::Report => ("reportId", "reportType", "reportDocumentId"),
            Family::Feed => ("feedId", "feedType", "resultFeedDocumentId"),
        };
        let mut shown = json!({
            id: self.id,
            type_name: self.type_name,
            "marketplaceIds": self.marketplaces,
            "createdTime": iso(self.created_at),
            "processingStatus": self.status(),
        });
        if !self.cancelled {
            shown["processingStartTime"] = json!(iso(self.created_at));
            shown["processingEndTime"] = json!(iso(self.created_at));
            shown[document] = json!(self.document);
        }
        shown
    }
}

const MOST_KEPT: usize = 10_000;
