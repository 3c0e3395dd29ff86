/* barncat
kind = "view"
key = ["id"]
schema = "x y"
description = """
* / */
select 1 from "T" 