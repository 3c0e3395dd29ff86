//! From a service's text to who asks it, and to what is asked for its tables.

use std::{sync::Arc, time::Duration};

use jiff::tz::TimeZone;

use super::RunError;
use crate::{
    config::{
        Environment, LoadSpec, Project, SourceConfig,
        http::{
            Duplicates as WrittenDuplicates, HttpAuth, HttpBody, HttpColumn, HttpFormat, HttpJson,
            HttpLimits, HttpMethod, HttpPages, HttpPaging, HttpPattern, HttpPiece, HttpSource, HttpTable,
            HttpTime, HttpType, HttpValue, MockFile as WrittenFile, MockPiece as WrittenPiece,
            OnBadRecord as WrittenOnBad, OnNotFound,
        },
    },
    control::{CalendarUnit, Control, Limits, Window},
    fingerprint,
    load::SharedAllowance,
    source::{
        Slots, SourceError,
        http::{
            Allowance, Ask, Asked, Asker, Auth, BodyPattern, CursorForm, JsonPattern, Media, Mock, MockFile,
            MockPiece, MockSettings, OnBadRecord, Options, Pattern, Piece, RowColumn, RowSettings, Service,
            ServiceSettings, ServiceTable, Time, Unlimited,
            paging::{Kind, Paging, Parameter, Path, Size, Windows},
            records::{ColumnSpec, ColumnType, Duplicates, PathError, RecordsPath, ValuePath},
        },
    },
};

/// Who asks a service: within its limits where the control database is there to count, over connections that each
/// hold one of `slots`.
pub fn asker(
    (name, config): (&str, &HttpSource),
    project: &Project,
    environment: &Environment,
    control: Option<&Control>,
    slots: Arc<dyn Slots>,
) -> Result<Asker, RunError> {
    let options = options(name, config, project, environment)?;
    let allowance: Arc<dyn Allowance> = match control {
        Some(control) => {
            let limits = limits(&config.limits, project.has_critical(), options.longest());
            Arc::new(SharedAllowance::new(control.clone(), name, limits))
        }
        None => Arc::new(Unlimited::default()),
    };
    Asker::new(options, allowance, slots).map_err(below)
}

/// How often a service may be asked, for who looks and asks nothing: no secret is needed to look.
pub fn limits_of(config: &HttpSource, project: &Project) -> Limits {
    limits(&config.limits, project.has_critical(), Duration::ZERO)
}

/// A service whose answers come from files, as test mode has it; `None` where the source has none.
pub fn mocked(
    (config, http): (&SourceConfig, &HttpSource),
    loads: &[LoadSpec],
    project: &Project,
    environment: &Environment,
) -> Result<Option<Service>, RunError> {
    let Some(files) = &http.mock else { return Ok(None) };
    let pieces = |pieces: &Vec<WrittenPiece>| -> Vec<MockPiece> {
        let piece = |piece: &WrittenPiece| match piece {
            WrittenPiece::Text(text) => MockPiece::Text(text.clone()),
            WrittenPiece::Name(name) => MockPiece::Name(name.clone()),
        };
        pieces.iter().map(piece).collect()
    };
    let file = |file: &WrittenFile| MockFile {
        segments: file.pattern.segments.iter().map(pieces).collect(),
        query: file.pattern.query.iter().map(|(name, value)| (name.clone(), pieces(value))).collect(),
        file: pieces(&file.file),
    };
    let mock = Mock::new(MockSettings {
        name: config.name.clone(),
        folder: project.dir.clone(),
        body_bytes_max: http.response_limit,
        files: files.iter().map(file).collect(),
    });
    // It is the same wherever the service is, so that no variable is needed to know.
    made((config, http), loads, (environment, "mock".to_owned()), Arc::new(mock)).map(Some)
}

fn below(error: impl crate::error::Fault + Send + Sync + 'static) -> RunError {
    RunError::Below(Box::new(error) as SourceError)
}

fn options(
    name: &str,
    config: &HttpSource,
    project: &Project,
    environment: &Environment,
) -> Result<Options, RunError> {
    let mut options = Options::new(name, config.url.resolve(environment)?);
    options.auth = match &config.auth {
        None => Auth::None,
        Some(HttpAuth::Bearer(token)) => Auth::Bearer(token.resolve(environment)?),
        Some(HttpAuth::Basic { user, password }) => Auth::Basic {
            user: user.resolve(environment)?.expose().to_owned(),
            password: password.resolve(environment)?,
        },
        Some(HttpAuth::Header { name, value }) => {
            Auth::Header { name: name.clone(), value: value.resolve(environment)? }
        }
        Some(HttpAuth::Query { name, value }) => {
            Auth::Query { name: name.clone(), value: value.resolve(environment)? }
        }
    };
    for (header, value) in &config.headers {
        options.headers.push((header.clone(), value.resolve(environment)?));
    }
    options.connect_timeout = config.connect_timeout;
    options.read_timeout = config.read_timeout;
    options.answer_timeout = config.answer_timeout;
    options.attempts = config.attempts;
    options.response_bytes = config.response_limit;
    options.redirects.clone_from(&config.redirects);
    options.allow_http = config.allow_http;
    options.allow_private = config.allow_private;
    // It was looked at when the project was read.
    options.error_when = config.error_when.as_ref().and_then(|path| ValuePath::read(path).ok());
    options.ca = config.ca.as_ref().map(|ca| project.dir.join(ca));
    Ok(options)
}

fn limits(config: &HttpLimits, keeps: bool, longest: Duration) -> Limits {
    let sliding = |count: Option<u32>, seconds| {
        count.map(|count| Window::Sliding { length: Duration::from_secs(seconds), count })
    };
    let day = config.day.map(|count| Window::Calendar { unit: CalendarUnit::Day, count });
    let windows = [sliding(config.second, 1), sliding(config.minute, 60), sliding(config.hour, 3600), day];
    Limits { windows: windows.into_iter().flatten().collect(), zone: zone(&config.timezone), keeps, longest }
}

/// A zone whose name was looked at when the project was read.
fn zone(name: &str) -> TimeZone {
    TimeZone::get(name).unwrap_or(TimeZone::UTC)
}

/// A service with the tables that rows of the project name.
pub fn service(
    config: (&SourceConfig, &HttpSource),
    loads: &[LoadSpec],
    environment: &Environment,
    ask: Arc<dyn Ask>,
) -> Result<Service, RunError> {
    let place = place(config.1, environment)?;
    made(config, loads, (environment, place), ask)
}

fn made(
    (source, http): (&SourceConfig, &HttpSource),
    loads: &[LoadSpec],
    (environment, place): (&Environment, String),
    ask: Arc<dyn Ask>,
) -> Result<Service, RunError> {
    let secret = match &http.auth {
        Some(HttpAuth::Query { name, .. }) => vec![name.clone()],
        _ => Vec::new(),
    };
    let tables = loads.iter().filter(|spec| spec.source == source.name);
    let tables = tables.filter_map(|spec| Some((spec, spec.http.as_deref()?)));
    let tables: Vec<ServiceTable> =
        tables.map(|(spec, http)| table(spec, http, &secret, environment)).collect::<Result<_, _>>()?;
    let settings = ServiceSettings {
        name: source.name.clone(),
        place,
        base: base(http, environment)?,
        connections: usize::try_from(source.connections).unwrap_or(1),
        body_bytes_max: http.response_limit,
        resume_for: http.resume_for,
    };
    Ok(Service::new(settings, ask, tables))
}

/// A fingerprint of the url, and of the headers that every request has: with other ones other records may come.
fn base(http: &HttpSource, environment: &Environment) -> Result<String, RunError> {
    let mut texts = vec![http.url.resolve(environment)?.expose().to_owned()];
    for (name, value) in &http.headers {
        texts.extend([name.clone(), value.resolve(environment)?.expose().to_owned()]);
    }
    Ok(fingerprint::of(texts))
}

/// Scheme, host and port: none of them a secret.
pub fn place(http: &HttpSource, environment: &Environment) -> Result<String, RunError> {
    let url = http.url.resolve(environment)?;
    let url = reqwest::Url::parse(url.expose());
    Ok(url.map(|url| url.origin().ascii_serialization()).unwrap_or_default())
}

fn table(
    spec: &LoadSpec,
    http: &HttpTable,
    secret: &[String],
    environment: &Environment,
) -> Result<ServiceTable, RunError> {
    let request = &http.request;
    let mut headers = Vec::new();
    for (name, value) in &request.headers {
        headers.push((name.clone(), value.resolve(environment)?.expose().to_owned()));
    }
    let cursor =
        spec.cursor.as_ref().and_then(|name| http.columns.iter().find(|column| column.name == *name));
    let asked = Asked {
        name: spec.source_table.clone(),
        method: match request.method {
            HttpMethod::Get => "GET".to_owned(),
            HttpMethod::Post => "POST".to_owned(),
        },
        path: pattern(&request.path),
        parameters: request.parameters.iter().map(|(name, text)| (name.clone(), pattern(text))).collect(),
        headers,
        body: request.body.as_ref().map(body),
        media: match http.format {
            HttpFormat::Json => Media::Json,
            HttpFormat::Ndjson => Media::Ndjson,
            HttpFormat::Csv => Media::Csv,
        },
        paging: paging(&http.paging, secret).map_err(below)?,
        windows: http.windows.as_ref().map(|windows| Windows {
            length: windows.length,
            zone: zone(&windows.timezone),
            with_today: windows.with_today,
        }),
        from: http.from,
        cursor: match cursor.map(|column| column.kind) {
            Some(HttpType::Date) => CursorForm::Date,
            Some(HttpType::Timestamptz | HttpType::Epoch | HttpType::EpochMs) => CursorForm::Moment,
            Some(HttpType::Timestamp) => CursorForm::Local,
            None if http.windows.is_some() || http.from.is_some() => CursorForm::Moment,
            _ => CursorForm::Plain,
        },
        records_of_missing: match http.on_not_found {
            OnNotFound::Fail => None,
            OnNotFound::Empty => Some(0),
            OnNotFound::Row => Some(1),
        },
        // Of one row of work nothing hangs on the others.
        keeps_failed: http.work.is_some(),
    };
    let records = match http.format {
        HttpFormat::Json => RecordsPath::read(&http.records).map_err(below)?,
        HttpFormat::Ndjson | HttpFormat::Csv => RecordsPath::default(),
    };
    let rows = RowSettings {
        columns: http.columns.iter().map(column).collect::<Result<_, _>>().map_err(below)?,
        key: spec.key.clone(),
        on_bad_record: match http.on_bad_record {
            WrittenOnBad::Fail => OnBadRecord::Fail,
            WrittenOnBad::Reject => OnBadRecord::Reject,
        },
        duplicates: match http.duplicates {
            WrittenDuplicates::Fail => Duplicates::Fail,
            WrittenDuplicates::Last => Duplicates::Last,
        },
    };
    Ok(ServiceTable { asked, records, rows })
}

fn pattern(written: &HttpPattern) -> Pattern {
    Pattern(written.pieces.iter().map(piece).collect())
}

fn piece(written: &HttpPiece) -> Piece {
    let time = |time: &HttpTime| match time {
        HttpTime::Plain => Time::Plain,
        HttpTime::Date => Time::Date,
        HttpTime::Unix => Time::Unix,
        HttpTime::UnixMs => Time::UnixMs,
    };
    match written {
        HttpPiece::Text(text) => Piece::Text(text.clone()),
        HttpPiece::Since(form) => Piece::Since(time(form)),
        HttpPiece::Until(form) => Piece::Until(time(form)),
        HttpPiece::Date => Piece::Date,
        HttpPiece::Work(column) => Piece::Work(column.clone()),
    }
}

fn body(written: &HttpBody) -> BodyPattern {
    match written {
        HttpBody::Json(written) => BodyPattern::Json(json(written)),
        HttpBody::Form(fields) => {
            BodyPattern::Form(fields.iter().map(|(name, text)| (name.clone(), pattern(text))).collect())
        }
    }
}

fn json(written: &HttpJson) -> JsonPattern {
    match written {
        HttpJson::Text(text) => JsonPattern::Text(pattern(text)),
        HttpJson::Plain(value) => JsonPattern::Plain(value.clone()),
        HttpJson::List(items) => JsonPattern::List(items.iter().map(json).collect()),
        HttpJson::Object(fields) => {
            JsonPattern::Object(fields.iter().map(|(name, field)| (name.clone(), json(field))).collect())
        }
    }
}

fn paging(written: &HttpPaging, secret: &[String]) -> Result<Paging, PathError> {
    let parameter = |name: &String| match written.in_body {
        true => Parameter::Body(name.clone()),
        false => Parameter::Query(name.clone()),
    };
    let size = |size: &Option<crate::config::http::HttpPageSize>| {
        size.as_ref().map(|size| Size {
            parameter: size.parameter.as_ref().map(parameter),
            records: u64::from(size.records),
        })
    };
    let path = |path: &Option<String>| path.as_ref().map(|path| Path::read(path)).transpose();
    Ok(Paging {
        kind: match &written.way {
            HttpPages::One => Kind::None,
            HttpPages::Link => Kind::Link,
            HttpPages::Next(at) => Kind::Next(Path::read(at)?),
            HttpPages::Cursor { at, parameter: name } => {
                Kind::Cursor { at: Path::read(at)?, parameter: parameter(name) }
            }
            HttpPages::Page { parameter: name, first, size: records } => {
                Kind::Page { parameter: parameter(name), first: u64::from(*first), size: size(records) }
            }
            HttpPages::Offset { parameter: name, size: records } => {
                Kind::Offset { parameter: parameter(name), size: size(records) }
            }
        },
        total: path(&written.total)?,
        more: path(&written.more)?,
        pages_max: u64::from(written.pages),
        short_is_last: written.short_is_last,
        secret_parameters: secret.to_vec(),
    })
}

fn column(written: &HttpColumn) -> Result<RowColumn, PathError> {
    let (path, asked) = match &written.from {
        HttpValue::Path(path) => (ValuePath::read(path)?, None),
        HttpValue::Field(name) => (ValuePath::field(name), None),
        // No record has a field of this name that is asked for.
        HttpValue::Asked(from) => (ValuePath::field(""), Some(piece(from))),
    };
    let column_type = match written.kind {
        HttpType::Text => ColumnType::Text,
        HttpType::Smallint => ColumnType::SmallInt,
        HttpType::Integer => ColumnType::Integer,
        HttpType::Bigint => ColumnType::BigInt,
        HttpType::Double => ColumnType::Double,
        HttpType::Numeric(digits) => ColumnType::Numeric(digits),
        HttpType::Boolean => ColumnType::Boolean,
        HttpType::Date => ColumnType::Date,
        HttpType::Timestamp => ColumnType::Timestamp,
        HttpType::Timestamptz => ColumnType::TimestampTz,
        HttpType::Epoch => ColumnType::Epoch(0),
        HttpType::EpochMs => ColumnType::Epoch(3),
        HttpType::Uuid => ColumnType::Uuid,
        HttpType::Jsonb => ColumnType::Jsonb,
    };
    let nullable = written.nullable || asked.is_some();
    Ok(RowColumn {
        spec: ColumnSpec { name: written.name.clone(), path, column_type, nullable, hash: false },
        asked,
        nullable: written.nullable,
    })
}
