use schemars::{JsonSchema, generate::SchemaSettings};
use serde_json::{Map, Value, json};

use super::*;
use crate::serve::view::{GraphDocument, RunPage, TablePage};

/// Answers that any of them may get.
const REFUSALS: [(&str, &str); 6] = [
    ("400", "The question makes no sense"),
    ("401", "A token is needed"),
    ("404", "There is no such thing"),
    ("429", "Too many requests"),
    ("503", "The control database does not answer, or was not reached yet"),
    ("504", "It took too long"),
];

/// The schemas of what is answered, as they are met.
struct Schemas(schemars::SchemaGenerator);

impl Schemas {
    fn path<T: JsonSchema>(&mut self, summary: &str, parameters: Value) -> Value {
        let (ok, refusal) = (self.0.subschema_for::<T>(), self.0.subschema_for::<Refused>());
        let of = |description: &str, schema: &schemars::Schema| json!({"description": description, "content": {"application/json": {"schema": schema}}});
        let mut responses = Map::from_iter([("200".to_owned(), of("What there is", &ok))]);
        for (status, description) in REFUSALS {
            let answer = match status {
                "504" => json!({"description": description}),
                _ => of(description, &refusal),
            };
            responses.insert(status.to_owned(), answer);
        }
        json!({"get": {"summary": summary, "parameters": parameters, "responses": responses}})
    }
}

/// A refusal: by the API itself with its class, by what stands before it without.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Error")]
struct Refused {
    /// What is wrong.
    error: String,
    /// `passing`, `lasting`, `usage`, `held` or `bug`.
    #[serde(skip_serializing_if = "Option::is_none")]
    class: Option<String>,
    /// What a person can do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
}

fn document() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
    });
    let mut schemas = Schemas(settings.for_serialize().into_generator());
    let limit = json!({"name": "limit", "in": "query", "description": "How many at most",
        "schema": {"type": "integer", "minimum": 1, "maximum": LIMIT.1, "default": LIMIT.0}});
    let offset = json!({"name": "offset", "in": "query", "description": "After so many: `next` of the part before",
        "schema": {"type": "integer", "minimum": 0, "maximum": 10_000_000, "default": 0}});
    let id = json!({"type": "string", "pattern": "^[0-9A-Za-z]{1,64}$"});
    let before = json!({"name": "before", "in": "query", "description": "Before this run: `next` of the part before",
        "schema": id});
    let run =
        json!({"name": "run", "in": "path", "required": true, "description": "The run's id", "schema": id});
    let name = json!({"name": "name", "in": "path", "required": true, "description": "The task's full name",
        "schema": {"type": "string", "minLength": 1}});
    let select = json!({"name": "select", "in": "query", "description": "Which tasks, as `barncat graph` takes them",
        "schema": {"type": "string", "default": ""}});
    let list = json!([limit, offset]);
    let paths = json!({
        "/api/v1/runs": schemas.path::<RunsPage>("Runs, the latest first", json!([limit, before])),
        "/api/v1/runs/{run}": schemas.path::<RunPage>("A run and its tasks", json!([run, offset])),
        "/api/v1/tasks": schemas.path::<TasksPage>("All tasks, in the order of their names", list.clone()),
        "/api/v1/tables": schemas.path::<TablesPage>("Tasks that make a table", list.clone()),
        "/api/v1/tables/{name}": schemas.path::<TablePage>("A task, its loads, schemas and checks", json!([name])),
        "/api/v1/graph": schemas.path::<GraphDocument>("What needs what", json!([select])),
        "/api/v1/incidents": schemas.path::<IncidentsPage>("Open incidents", list.clone()),
        "/api/v1/deadlines": schemas.path::<DeadlinesPage>("Deadlines", list.clone()),
        "/api/v1/checks": schemas.path::<ChecksPage>("What each check found the last time", list),
    });
    let mut schemas = Value::Object(schemas.0.take_definitions(true));
    close(&mut schemas);
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "barncat",
            "version": "1",
            "summary": "What barncat's service knows of a project; reading only",
            "description": "Times are RFC 3339 in UTC, sizes bytes, durations seconds; what is absent is `null`. All of it comes from the control database: no statement goes to the warehouse or a source.",
            "license": {"name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "security": [{}, {"token": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer",
                "description": "BARNCAT_TOKEN; without one only this machine can ask"}},
            "schemas": schemas,
        },
    })
}

/// What is answered has the fields that are described, and no others.
fn close(schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            if object.contains_key("properties") && object.get("type") == Some(&json!("object")) {
                object.insert("additionalProperties".to_owned(), json!(false));
            }
            object.values_mut().for_each(close);
        }
        Value::Array(values) => values.iter_mut().for_each(close),
        _ => {}
    }
}

#[test]
fn the_description_is_that_of_what_is_answered() {
    let now = serde_json::to_string_pretty(&document()).expect("JSON") + "\n";
    if crate::reference::is_to_be_written() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/openapi.json");
        std::fs::write(path, &now).expect("it can be written");
    }
    assert!(
        now == OPENAPI,
        "docs/openapi.json does not describe what is answered: `make reference` writes it"
    );
}

#[test]
fn the_paths_of_the_description_are_the_routes_and_no_others() {
    let described = document();
    let described: Vec<&String> = described["paths"].as_object().expect("paths").keys().collect();
    let routes = include_str!("mod.rs");
    for path in &described {
        assert!(routes.contains(&format!("\"{path}\"")), "{path}");
    }
    let served = routes.matches("\"/api/v1/").count() - routes.matches("\"/api/v1/openapi.json\"").count();
    assert_eq!(served, described.len());
}
