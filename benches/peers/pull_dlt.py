"""Pulls every member into DuckDB with dlt's own REST source, as its documentation shows it."""

import os

import dlt
from dlt.sources.rest_api import rest_api_source

state = os.environ["STATE_DIR"]
fields = ["id", "email_address", "status", "merge_fields.FNAME", "merge_fields.LNAME"]
source = rest_api_source(
    {
        "client": {
            "base_url": os.environ["MAILCHIMP_URL"] + "/3.0/",
            "auth": {
                "type": "http_basic",
                "username": "anystring",
                "password": os.environ["MAILCHIMP_KEY"],
            },
            "paginator": {
                "type": "offset",
                "limit": 1000,
                "limit_param": "count",
                "offset_param": "offset",
                "total_path": "total_items",
            },
        },
        "resources": [
            {
                "name": "members",
                "write_disposition": "replace",
                "primary_key": "id",
                "endpoint": {
                    "path": f"lists/{os.environ['MAILCHIMP_AUDIENCE']}/members",
                    "data_selector": "members",
                    "params": {
                        "fields": ",".join([f"members.{field}" for field in fields] + ["total_items"])
                    },
                },
            }
        ],
    }
)
pipeline = dlt.pipeline(
    pipeline_name="mailchimp",
    pipelines_dir=state,
    destination=dlt.destinations.duckdb(os.path.join(state, "members.duckdb")),
    dataset_name="mailchimp",
)
pipeline.run(source).raise_on_failed_jobs()
