//! Whole projects: what is read of them, and every mistake with its place.

use std::{collections::BTreeMap, fs, path::Path};

use proptest::prelude::*;

use super::{Deletes, LoadSpec, OnSchemaChange, Project, Strategy, read};
use crate::{
    error::Fault,
    schema::{Dist, Sort, UnfitPolicy, Varchar},
};

const BASE: &str = "[project]
name = \"deliveries\"

[sources.shop]
kind = \"postgres\"
url = \"${SHOP_REPLICA_URL}\"

[stage]
url = \"file:./stage\"

[warehouse]
kind = \"postgres\"
url = \"${WAREHOUSE_URL}\"
schema = \"analytics\"
";

const LOADER: &str = "source = \"shop\"
[tables]
\"*\" = \"full\"
";

fn project(files: &[(&str, &str)], env: Option<&str>) -> Result<Project, String> {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    read(dir.path(), env).map_err(|mistakes| mistakes.to_string())
}

fn loads(loader: &str, tables: &[&str]) -> Result<Vec<LoadSpec>, String> {
    let project = project(&[("barncat.toml", BASE), ("loaders/shop.toml", loader)], None)?;
    let tables = tables.iter().map(|table| (*table).to_owned()).collect();
    let found = BTreeMap::from([(("shop".to_owned(), "public".to_owned()), tables)]);
    project.loads(&found, crate::config::Missing::Refuse).map_err(|mistakes| mistakes.to_string())
}

#[test]
fn the_demo_is_read_without_a_mistake() {
    let project = read(Path::new(env!("CARGO_MANIFEST_DIR")), None).unwrap();
    assert_eq!(project.name, "demo");
    let into: Vec<&str> = project.loaders.iter().map(|loader| loader.into.as_str()).collect();
    assert!(into.contains(&"raw_shop"), "{into:?}");
}

#[test]
fn files_in_folders_of_folders_count_and_hidden_ones_do_not() {
    let select = "select 1 as one";
    let files = [
        ("barncat.toml", BASE),
        ("loaders/eu/shop.toml", LOADER),
        ("sql/models/finance/margins.sql", select),
        ("sql/models/payments.sql", select),
        ("sql/models/.old/gone.sql", select),
        ("sql/checks/finance/add_up.sql", select),
    ];
    let project = project(&files, None).unwrap();
    let models: Vec<_> = project.models.iter().map(|model| model.target.name.as_str()).collect();
    assert_eq!(models, ["margins", "payments"]);
    assert_eq!((project.checks[0].name.as_str(), project.loaders.len()), ("add_up", 1));
}

#[test]
fn a_check_that_would_fail_whatever_the_rows_are_is_a_mistake() {
    let check =
        |sql: &str| project(&[("barncat.toml", BASE), ("sql/checks/late.sql", sql)], None).map(|_| ());
    let told =
        check("/* barncat\nseverity = \"warn\"\n*/\n\nselect count(*)::int as n from raw.orders where late");
    assert_eq!(
        told.unwrap_err(),
        "error: it always answers one row, and each row that a check answers is a failure\n  sql/checks/late.sql:5:1\n\
         hint: select the rows that are wrong, or add `having count(*) > 0`"
    );
    check("select count(*) from raw.orders where late having count(*) > 0").unwrap();
    check("/* barncat\nreconcile = \"select sum(a) from raw.b\"\n*/\nselect sum(a) from raw.orders").unwrap();
}

#[test]
fn history_is_kept_for_a_year_and_some_or_as_long_as_is_said() {
    let with = |section: &str| project(&[("barncat.toml", &format!("{BASE}\n{section}"))], None);
    let days = |days: u64| std::time::Duration::from_secs(days * 86_400);
    assert_eq!(with("").unwrap().history_keep, days(400));
    assert_eq!(with("[history]\nkeep = \"90d\"").unwrap().history_keep, days(90));
    let told = with("[history]\nkeep = \"7d\"").unwrap_err();
    assert!(told.contains("`keep` of") && told.contains("less than 30 days"), "{told}");
}

#[test]
fn a_row_beats_a_pattern_and_a_longer_pattern_a_shorter_one() {
    let loader = "source = \"shop\"
        [defaults]
        tags = [\"all\"]
        exclude = [\"secret\"]
        [tables]
        \"*\" = \"full\"
        \"tmp_*\" = \"skip\"
        \"tmp_kept*\" = { tags = [\"kept\"] }
        tmp_one = \"full\"
        orders = { strategy = \"merge\", cursor = \"updated_at\", as = \"all_orders\", exclude = [\"note\"] }";
    let loads = loads(loader, &["orders", "riders", "tmp_a", "tmp_kept_b", "tmp_one"]).unwrap();
    let names: Vec<String> = loads.iter().map(|load| load.target.to_string()).collect();
    assert_eq!(
        names,
        ["analytics.all_orders", "analytics.riders", "analytics.tmp_kept_b", "analytics.tmp_one"]
    );
    assert_eq!(loads[0].strategy, Strategy::Merge);
    assert_eq!(loads[0].exclude, ["secret", "note"]);
    assert_eq!(loads[2].tags, ["all", "kept"]);
    assert_eq!(loads[0].place.to_string(), "loaders/shop.toml:10:9");
}

#[test]
fn deleted_rows_are_marked_only_where_that_can_be_kept() {
    let loader = |row: &str| format!("source = \"shop\"\n[tables]\norders = {{ cursor = \"id\", {row} }}\n");
    let row = "strategy = \"merge\", deletes = \"mark\"";
    let marking = loads(&loader(row), &["orders"]).unwrap();
    assert_eq!(
        (&marking[0].deletes, marking[0].on_schema_change),
        (&Deletes::Mark("deleted_at".into()), OnSchemaChange::Extend)
    );
    assert_eq!(marking[0].compare_every, Some(std::time::Duration::ZERO));
    let named = loads(&loader("strategy = \"append\", deletes = { mark = \"gone\" }"), &["orders"]).unwrap();
    assert_eq!(named[0].deletes.mark(), Some("gone"));
    let mistakes = |row: &str| loads(&loader(row), &["orders"]).unwrap_err();
    insta::assert_snapshot!(mistakes(
        "strategy = \"full\", deletes = \"mark\", on_schema_change = \"rebuild\", publish = \"swap\""
    ));
    insta::assert_snapshot!(mistakes("strategy = \"merge\", deletes = { marks = \"gone\" }"));
    insta::assert_snapshot!(mistakes("strategy = \"merge\", deletes = \"marks\""));
}

#[test]
fn limits_that_could_never_hold_are_mistakes() {
    let text = format!("{BASE}connections = 4\nfill_jobs = 5\n");
    let loader = "source = \"shop\"\n[defaults]\ntime_limit = \"10m\"\n[tables]\norders = { strategy = \"full\", fill_jobs = 8 }\n\
                  riders = { strategy = \"full\", warn_after = \"10m\" }\nrates = { strategy = \"full\", warn_after = \"9m\" }\n";
    let files = [("barncat.toml", text.as_str()), ("loaders/shop.toml", loader)];
    insta::assert_snapshot!(project(&files, None).unwrap_err());
}

#[test]
fn a_project_has_critical_tasks_by_a_tier_or_by_a_deadline() {
    let has_critical = |row: &str| {
        let loader = format!("source = \"shop\"\n[tables]\norders = {{ strategy = \"full\"{row} }}\n");
        project(&[("barncat.toml", BASE), ("loaders/shop.toml", &loader)], None).unwrap().has_critical()
    };
    assert!(has_critical(", tier = \"critical\"") && has_critical(", deadline = \"06:00\""));
    assert!(!has_critical("") && !has_critical(", tier = \"optional\""));
}

#[test]
fn a_deadline_has_a_time_of_day_and_days() {
    let loader = |deadlines: &str| format!("source = \"shop\"\n[tables]\n{deadlines}");
    let rows = "a = { strategy = \"full\", deadline = \"06:00\" }\n\
                b = { strategy = \"full\", deadline = { at = \"06:00\", days = [\"mon\", \"fri\"], within = \"1h\" } }\n";
    assert_eq!(loads(&loader(rows), &["a", "b"]).unwrap().len(), 2);
    let rows = "a = { strategy = \"full\", deadline = \"6 o'clock\" }\n\
                b = { strategy = \"full\", deadline = { at = \"06:00\", days = [\"mo\"] } }\n\
                c = { strategy = \"full\", deadline = { days = [], day = \"mon\" } }\n\
                d = { strategy = \"full\", deadline = 6 }\n";
    insta::assert_snapshot!(loads(&loader(rows), &["a", "b", "c", "d"]).unwrap_err());
}

#[test]
fn an_overlays_sections_take_the_place_of_the_others() {
    let over = "[warehouse]\nkind = \"postgres\"\nurl = \"postgres://staging/w\"\n";
    let files = [("barncat.toml", BASE), ("barncat.staging.toml", over), ("loaders/shop.toml", LOADER)];
    let staging = project(&files, Some("staging")).unwrap();
    assert_eq!(staging.warehouse.schema, "public");
    assert_eq!(project(&files, None).unwrap().warehouse.schema, "analytics");
    let missing = project(&files, Some("nope")).unwrap_err();
    assert_eq!(missing, "error: there is no such file\n  barncat.nope.toml");
}

#[test]
fn every_mistake_is_told_at_once_with_its_place() {
    let text = BASE
        .replace("kind = \"postgres\"\nurl = \"${SHOP", "kind = \"postgrs\"\nconections = 3\nurl = \"${SHOP")
        + "lock_wait = \"soon\"\ntest_schema = \"${A\"\n[projct]\n";
    let loader =
        "source = \"shp\"\n[tables]\norders = { strategy = \"merge\", cursr = \"id\" }\nx = \"ful\"\n";
    let files = [("barncat.toml", text.as_str()), ("loaders/shop.toml", loader)];
    assert_eq!(
        project(&files, None).unwrap_err(),
        "error: `kind` of [sources.shop] is none of `postgres`, `http`
  barncat.toml:5:8
hint: did you mean `postgres`?

error: unknown key `conections` for [sources.shop]
  barncat.toml:6:1
hint: did you mean `connections`?

error: `lock_wait` of [warehouse] is not a time span like `30m` or `2 hours`
  barncat.toml:16:13

error: `test_schema` of [warehouse] has a `${` without its `}`
  barncat.toml:17:15

error: unknown key `projct` for the file
  barncat.toml:18:2
hint: did you mean `project`?

error: there is no source `shp`
  loaders/shop.toml:1:1
hint: did you mean `shop`?

error: table `orders` needs `cursor`
  loaders/shop.toml:3:1
hint: the column that orders new rows: `id`, `updated_at`

error: unknown key `cursr` for table `orders`
  loaders/shop.toml:3:32
hint: did you mean `cursor`?

error: `ful` is none of `full`, `append`, `merge`, `skip`
  loaders/shop.toml:4:5
hint: did you mean `full`?"
    );
}

#[test]
fn a_file_that_cannot_be_read_is_one_mistake() {
    let none = project(&[], None).unwrap_err();
    assert!(none.starts_with("error: there is no such file\n  barncat.toml\nhint: `barncat init`"), "{none}");
    let broken = project(&[("barncat.toml", "[project\nname = 1")], None).unwrap_err();
    assert!(broken.starts_with("error: no TOML: ") && broken.contains("barncat.toml:1:9"), "{broken}");
    let newer = BASE.replace("name = ", "requires = \">=99.1\"\nname = ");
    let newer = project(&[("barncat.toml", &newer)], None).unwrap_err();
    assert!(
        newer.starts_with("error: `requires` of [project] asks for >=99.1, and this is barncat "),
        "{newer}"
    );
}

#[test]
fn redshift_needs_a_control_database_and_a_bucket() {
    let bare = BASE.replace("[warehouse]\nkind = \"postgres\"", "[warehouse]\nkind = \"redshift\"");
    let mistakes = project(&[("barncat.toml", &bare)], None).unwrap_err();
    for missing in ["needs `workgroup`", "needs `database`", "needs `copy_role`"] {
        assert!(mistakes.contains(missing), "{mistakes}");
    }
    let place =
        "[warehouse]\nkind = \"redshift\"\nworkgroup = \"etl\"\ndatabase = \"d\"\ncopy_role = \"default\"";
    let text =
        BASE.replace("[warehouse]\nkind = \"postgres\"", place).replace("url = \"${WAREHOUSE_URL}\"\n", "");
    let mistakes = project(&[("barncat.toml", &text)], None).unwrap_err();
    assert!(mistakes.contains("needs `control`") && mistakes.contains("is no S3 bucket"), "{mistakes}");
}

const REDSHIFT: &str = "[project]
name = \"deliveries\"
[sources.shop]
kind = \"postgres\"
url = \"${SHOP_REPLICA_URL}\"
[stage]
url = \"s3://bucket/stage\"
[warehouse]
kind = \"redshift\"
workgroup = \"etl\"
database = \"analytics\"
copy_role = \"default\"
[control]
url = \"${CONTROL_URL}\"
";

/// The mistakes of a Redshift warehouse with these keys, one a line.
fn redshift_mistakes(keys: &str) -> String {
    let bare = REDSHIFT.replace("workgroup = \"etl\"\ndatabase = \"analytics\"\n", &format!("{keys}\n"));
    match project(&[("barncat.toml", &bare), ("loaders/shop.toml", LOADER)], None) {
        Ok(_) => String::new(),
        Err(mistakes) => mistakes,
    }
}

const BY_IAM: &str = "host = \"h\"\nworkgroup = \"etl\"\ndatabase = \"analytics\"";

#[test]
fn redshift_is_reached_by_either_way() {
    for keys in [
        "workgroup = \"etl\"\ndatabase = \"d\"\ntransport = \"data-api\"",
        "transport = \"wire\"\nurl = \"${REDSHIFT_URL}\"\ntls = { ca = \"ca.pem\" }",
        "transport = \"wire\"\nurl = \"postgres://h/d\"\npassword_secret = \"etl\"\nregion = \"eu-west-1\"",
        &format!("transport = \"wire\"\nport = 5440\nregion = \"eu-west-1\"\n{BY_IAM}"),
        "transport = \"wire\"\nhost = \"h\"\ncluster = \"c\"\ndb_user = \"u\"\ndatabase = \"d\"",
    ] {
        assert_eq!(redshift_mistakes(keys), "", "{keys}");
    }
}

#[test]
fn a_contradiction_about_redshift_is_one_mistake() {
    let wire = |keys: &str| format!("transport = \"wire\"\n{keys}");
    for (keys, expected) in [
        (
            format!("url = \"${{U}}\"\n{}", BY_IAM.replace("host = \"h\"\n", "")),
            "`url` of [warehouse] is for `transport = \"wire\"`",
        ),
        (BY_IAM.to_owned(), "`host` of [warehouse] is for `transport = \"wire\"`"),
        (wire("workgroup = \"etl\"\ndatabase = \"d\""), "[warehouse] needs `url`"),
        (wire("url = \"${U}\"\ndb_user = \"u\""), "`db_user` of [warehouse] is beside `url`"),
        (wire("url = \"${U}\"\nhost = \"h\""), "`host` of [warehouse] is beside `url`"),
        (wire("url = \"${U}\"\nauth = \"iam\""), "`auth` of [warehouse] is for Postgres"),
        (
            wire(&format!("{BY_IAM}\npassword_secret = \"etl\"")),
            "`password_secret` of [warehouse] is for `url`; with `host` IAM gives the logins",
        ),
        (
            format!("{}\npassword_secret = \"etl\"", BY_IAM.replace("host = \"h\"\n", "")),
            "`password_secret` of [warehouse] is for `transport = \"wire\"`",
        ),
        (wire("url = \"mysql://x\""), "`url` of [warehouse] does not start with `postgres://`"),
        (wire(&format!("secret = \"arn\"\n{BY_IAM}")), "`secret` of [warehouse] is for the Data API"),
        (wire("host = \"h\"\ndatabase = \"d\""), "[warehouse] needs `workgroup`"),
        (wire("host = \"h\"\nworkgroup = \"w\""), "[warehouse] needs `database`"),
        (wire(&format!("{BY_IAM}\ndb_user = \"u\"")), "`db_user` of [warehouse] is for a cluster"),
        (
            wire(&format!("{BY_IAM}\ncluster = \"c\"")),
            "`cluster` of [warehouse] and `workgroup` are both there",
        ),
        (wire(&format!("{BY_IAM}\nport = 70000")), "`port` of [warehouse]"),
        (format!("transport = \"jdbc\"\nurl = \"${{U}}\"\n{BY_IAM}"), "`transport` of [warehouse]"),
    ] {
        let mistakes = redshift_mistakes(&keys);
        assert!(mistakes.contains(expected), "{keys}\n{mistakes}");
        assert_eq!(mistakes.matches("[warehouse]").count(), 1, "{keys}\n{mistakes}");
    }
}

/// The mistakes of a project whose source has these keys.
fn source_mistakes(keys: &str) -> String {
    let text = BASE.replace("url = \"${SHOP_REPLICA_URL}\"", keys);
    assert_ne!(text, BASE, "the base has another url");
    match project(&[("barncat.toml", &text), ("loaders/shop.toml", LOADER)], None) {
        Ok(_) => String::new(),
        Err(mistakes) => mistakes,
    }
}

#[test]
fn logins_by_aws_are_read() {
    for keys in [
        "url = \"${U}\"\nauth = \"iam\"\nregion = \"eu-west-1\"",
        "url = \"postgres://u@h/db\"\nauth = \"iam\"\ntls = { ca = \"rds.pem\" }",
        "url = \"postgres://h/db\"\npassword_secret = \"etl/shop\"\nendpoint = \"${E:-}\"",
        "url = \"postgres://u:${PW}@h/db\"\nauth = \"password\"",
        // A laptop has the password in the url, ECS a secret.
        "url = \"postgres://u:${PW:-}@h/db\"\npassword_secret = \"${SECRET:-}\"",
    ] {
        assert_eq!(source_mistakes(keys), "", "{keys}");
    }
}

#[test]
fn a_contradiction_about_a_login_is_one_mistake() {
    for (keys, expected) in [
        (
            "url = \"${U}\"\nauth = \"aim\"\npassword_secret = \"etl\"",
            "`auth` of [sources.shop] is none of `password`, `iam`",
        ),
        (
            "url = \"${U}\"\nauth = \"iam\"\npassword_secret = \"etl\"",
            "`password_secret` of [sources.shop] is beside `auth = \"iam\"`",
        ),
        (
            "url = \"${U}\"\nauth = \"iam\"\ntls = { mode = \"disable\" }",
            "`auth` of [sources.shop] is `iam`, which sends no token in the clear",
        ),
        ("url = \"${U}\"\nregion = \"eu-west-1\"", "`region` of [sources.shop] is for what AWS is asked for"),
        (
            "url = \"postgres://u:hunter2@h/db\"\nauth = \"iam\"",
            "`url` of [sources.shop] holds a password, and with `auth = \"iam\"`",
        ),
        (
            "url = \"postgres://u:${PW}@h/db\"\npassword_secret = \"etl\"",
            "`url` of [sources.shop] holds a password, and `password_secret`",
        ),
        ("url = \"postgres://h/db\"\nauth = \"iam\"", "`url` of [sources.shop] names no user"),
        (
            "url = \"postgres://u@h/db?sslmode=disable\"\nauth = \"iam\"",
            "`url` of [sources.shop] leads there without TLS",
        ),
        (
            "url = \"postgres://u@localhost/db\"\nauth = \"iam\"",
            "`url` of [sources.shop] leads there without TLS",
        ),
        ("url = \"${U}\"\npassword = \"hunter2\"", "unknown key `password` for [sources.shop]"),
    ] {
        let mistakes = source_mistakes(keys);
        assert!(mistakes.contains(expected) && !mistakes.contains("hunter2"), "{keys}\n{mistakes}");
        assert_eq!(mistakes.matches("[sources.shop]").count(), 1, "{keys}\n{mistakes}");
    }
}

#[test]
fn redshift_reads_no_binary_and_knows_no_case() {
    let loader = "source = \"shop\"
[tables]
orders = { format = \"binary\" }
Items = \"full\"
items = \"full\"";
    let mistakes = project(&[("barncat.toml", REDSHIFT), ("loaders/shop.toml", loader)], None).unwrap_err();
    assert!(
        mistakes.contains(
            "`format` of table `orders` is `binary`, which Redshift does not read\n  loaders/shop.toml:3:1"
        ),
        "{mistakes}"
    );
    assert!(mistakes.contains("two tasks have the name `public.items`"), "{mistakes}");
}

#[test]
fn unfit_is_one_word_or_one_for_each_column() {
    let loader = "source = \"shop\"
[defaults]
unfit = \"null\"
[tables]
orders = { unfit = { note = \"truncate\", total = \"text\" }, varchar = \"measured\" }
items = { unfit = \"clamp\" }";
    let loads = loads(loader, &["orders", "items"]).unwrap();
    assert_eq!((loads[0].unfit.all, loads[0].varchar), (UnfitPolicy::Null, Varchar::Measured));
    assert_eq!(loads[0].unfit.columns["note"], UnfitPolicy::Truncate);
    assert_eq!(loads[0].unfit.columns["total"], UnfitPolicy::Text);
    assert_eq!(loads[1].unfit.all, UnfitPolicy::Clamp);
    let wrong = "source = \"shop\"\n[tables]\norders = { unfit = { note = \"trunkate\" } }";
    let mistakes = project(&[("barncat.toml", BASE), ("loaders/shop.toml", wrong)], None).unwrap_err();
    assert_eq!(
        mistakes,
        "error: `unfit` of `note` is none of `fail`, `null`, `clamp`, `text`, `truncate`
  loaders/shop.toml:3:22
hint: did you mean `truncate`?"
    );
}

#[test]
fn a_layout_is_said_for_all_and_for_one() {
    let loader = "source = \"shop\"
[defaults]
redshift = { dist = \"even\", encode = { note = \"lzo\" } }
[tables]
orders = { redshift = { dist = \"key( id )\", sort = [\"at\", \"id\"], encode = { doc = \"ZSTD\" }, backup = false } }
items = { redshift = { sort = { interleaved = [\"a\", \"b\"] } } }";
    let loads = loads(loader, &["orders", "items"]).unwrap();
    let of = |number: usize| &loads[number].layout;
    assert_eq!(of(0).dist, Some(Dist::Key("id".into())));
    assert_eq!(of(0).sort, Some(Sort::Compound(vec!["at".into(), "id".into()])));
    assert_eq!(
        of(0).encode.iter().map(|(name, of)| format!("{name} {of}")).collect::<Vec<_>>(),
        ["doc zstd", "note lzo"]
    );
    assert_eq!((of(0).backup, of(1).backup, &of(1).dist), (Some(false), None, &Some(Dist::Even)));
    assert_eq!(of(1).sort, Some(Sort::Interleaved(vec!["a".into(), "b".into()])));
}

#[test]
fn a_layout_that_is_none_is_told_with_what_was_meant() {
    let wrong = "source = \"shop\"
[tables]
a = { redshift = { dist = \"evn\" } }
b = { redshift = { dist = \"customer_id\" } }
c = { redshift = { sort = [] } }
d = { redshift = { encode = { note = \"zst\" } } }
e = { redshift = { sortt = \"auto\" } }";
    let mistakes = project(&[("barncat.toml", BASE), ("loaders/shop.toml", wrong)], None).unwrap_err();
    for words in [
        "error: `dist` of `redshift` of table `a` is none of `auto`, `even`, `all`, `key(column)`
  loaders/shop.toml:3:27
hint: did you mean `even`?",
        "loaders/shop.toml:4:27
hint: `key(customer_id)` distributes the rows by that column",
        "error: `sort` of `redshift` of table `c` names no column
  loaders/shop.toml:5:27
hint: `sort = \"auto\"` leaves it to Redshift",
        "  loaders/shop.toml:6:31
hint: did you mean `zstd`?",
        "error: unknown key `sortt` for `redshift` of table `e`
  loaders/shop.toml:7:20
hint: did you mean `sort`?",
    ] {
        assert!(mistakes.contains(words), "{words}\n--- is not in\n{mistakes}");
    }
}

#[test]
fn tables_that_are_not_there_and_names_that_meet_are_mistakes() {
    let loader = "source = \"shop\"
consistent = [[\"orders\", \"itms\"]]
[tables]
\"*\" = \"full\"
ordrs = \"full\"
items = { as = \"orders\" }";
    assert_eq!(
        loads(loader, &["orders", "items"]).unwrap_err(),
        "error: `consistent` names `itms`, which is not loaded
  loaders/shop.toml:2:1
hint: did you mean `items`?

error: source `shop` has no table `ordrs` in schema `public`
  loaders/shop.toml:5:1
hint: did you mean `orders`?

error: two tasks have the name `analytics.orders`; the other is at loaders/shop.toml:4:1
  loaders/shop.toml:6:1
hint: `as` gives one of them another name, `into` another schema"
    );
    let long = format!("source = \"shop\"\n[tables]\na = {{ as = \"{}\" }}", "x".repeat(64));
    assert!(loads(&long, &["a"]).unwrap_err().contains("has 64 bytes"));
}

#[test]
fn a_model_has_a_name_that_the_warehouse_keeps_and_a_schema_that_is_not_barncats() {
    let model = |name: &str, sql: &str| project(&[("barncat.toml", BASE), (name, sql)], None).unwrap_err();
    let long = "a".repeat(64);
    let told = model(&format!("sql/models/{long}.sql"), "select 1 as one");
    assert!(told.contains("has 64 bytes; a name in the warehouse has 1 to 63"), "{told}");
    let told = model("sql/models/loads.sql", "/* barncat\nschema = \"barncat\"\n*/\nselect 1 as one");
    assert!(told.contains("no table can be published to the schema `barncat`"), "{told}");
}

#[test]
fn what_is_wrong_with_hooks_is_told_with_what_was_meant() {
    let hooks = "
[hooks.a]
on = [\"task.fialed\"]
command = [\"true\"]
[hooks.b]
command = []
[hooks.c]
on = [\"run.finished\"]
command = [\"true\"]
select = \"orders\"
[hooks.d]
on = [\"morning\"]
comand = [\"true\"]
time_limit = \"soon\"";
    let mistakes = project(&[("barncat.toml", &format!("{BASE}{hooks}"))], None).unwrap_err();
    for words in [
        "error: `on` of hook `a` knows no `task.fialed`",
        "hint: did you mean `task.failed`?",
        "error: hook `b` needs `on`",
        "error: `command` of hook `b` names no program",
        "error: `select` of hook `c` selects tasks, and it is told of none",
        "error: `on` of hook `d` knows no `morning`",
        "hint: there is task.finished, task.succeeded,",
        "error: hook `d` needs `command`",
        "error: unknown key `comand` for hook `d`",
        "error: `time_limit` of hook `d` is not a time span",
    ] {
        assert!(mistakes.contains(words), "{words}\n--- is not in\n{mistakes}");
    }
}

#[test]
fn mistakes_are_of_class_usage() {
    let mistakes = read(Path::new("/nonexistent"), None).unwrap_err();
    assert_eq!(mistakes.class(), crate::error::Class::Usage);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn no_text_makes_it_panic(at in 0..BASE.len(), cut in 0_usize..20, put in "\\PC{0,8}|[\\[\\]={}\"#\\n.]{0,8}") {
        let mut text: Vec<char> = BASE.chars().chain(LOADER.chars()).collect();
        let end = (at + cut).min(text.len());
        text.splice(at..end, put.chars());
        let text: String = text.into_iter().collect();
        let _ = project(&[("barncat.toml", &text), ("loaders/shop.toml", &text)], None);
    }
}

#[test]
fn many_rows_are_read_in_a_time_that_grows_as_they_do() {
    let seconds = |rows: usize| {
        let table = |number| format!("\"ä{number}\" = {{ strategy = 'full', tags = [\"hot\"] }}\n");
        let text = format!("source = \"shop\"\n[tables]\n{}", (0..rows).map(table).collect::<String>());
        let start = std::time::Instant::now();
        let read = project(&[("barncat.toml", BASE), ("loaders/shop.toml", &text)], None).unwrap();
        let place = &read.loads(&BTreeMap::new(), super::Missing::Load).unwrap()[rows - 1].place;
        assert_eq!((place.line, place.column), (rows + 2, 1));
        start.elapsed().as_secs_f64()
    };
    // Ten times as many, and a hundred times as long if each row looked at all the others.
    let (few, many) = (seconds(2_000), seconds(20_000));
    assert!(many < few * 40.0 + 0.5, "{few} s for 2,000 rows, {many} s for 20,000");
}
