"""Stands for the AWS CLI where deploy/ecs/run.sh is tried: `aws` in PATH.

Its parameters are held against the service's own model (botocore), `--query` is read by the CLI's own library. What it
answers stands in $FAKE_AWS/plan.json: `statuses` of the task, one a look; `log`, lists of lines, one an answer; `code`.
What it was asked is added to $FAKE_AWS/calls.
"""

import json
import os
import sys
from pathlib import Path

import jmespath
from botocore import xform_name
from botocore.session import Session
from botocore.validate import ParamValidator

HOME = Path(os.environ["FAKE_AWS"])
PLAN = json.loads((HOME / "plan.json").read_text())


def refuse(what):
    print(f"An error occurred: {what}", file=sys.stderr)
    sys.exit(254)


def parameter(shape, text):
    if shape.type_name == "list":
        return text.split()
    if shape.type_name == "integer":
        return int(text)
    if shape.type_name == "structure":
        return json.loads(text)
    return text


def read(arguments):
    service, operation, *rest = arguments
    model = Session().get_service_model(service)
    names = {xform_name(name, "-"): name for name in model.operation_names}
    shape = model.operation_model(names.get(operation) or refuse(f"no operation {operation}")).input_shape
    members = {xform_name(name, "-"): name for name in shape.members}
    asked, query = {}, None
    while rest:
        flag = rest.pop(0).removeprefix("--")
        if flag == "start-from-head":
            asked["startFromHead"] = True
            continue
        value = rest.pop(0)
        if flag == "query":
            query = value
        elif flag == "output":
            assert value == "text", value
        elif flag == "network-configuration":
            asked["networkConfiguration"] = {"awsvpcConfiguration": network(value)}
        elif flag in members:
            asked[members[flag]] = parameter(shape.members[members[flag]], value)
        else:
            refuse(f"unknown option --{flag}")
    wrong = ParamValidator().validate(asked, shape)
    if wrong.has_errors():
        refuse(wrong.generate_report())
    return f"{service} {operation}", asked, query


def network(text):
    """awsvpcConfiguration={subnets=[a,b],securityGroups=[c],assignPublicIp=DISABLED}"""
    inner = text.removeprefix("awsvpcConfiguration={").removesuffix("}")
    subnets, groups, public = inner.replace("],", "];").split(";")
    lists = {part.split("=")[0]: part.split("=")[1].strip("[]").split(",") for part in (subnets, groups)}
    return lists | {"assignPublicIp": public.split("=")[1]}


def counted(name):
    """How often this was asked before."""
    path = HOME / name
    before = int(path.read_text()) if path.exists() else 0
    path.write_text(str(before + 1))
    return before


def answer(call, asked):
    if call == "cloudformation describe-stacks":
        if asked["StackName"] != "etl":
            refuse("Stack does not exist")
        outputs = dict(Cluster="arn:aws:ecs:eu-west-1:1:cluster/etl", OnceTask="etl-once:7", Subnets="subnet-1,subnet-2",
                       TaskSecurityGroup="sg-1", LogGroup="/barncat/etl", StageUrl="s3://stage/stage")
        return {"Stacks": [{"Outputs": [{"OutputKey": k, "OutputValue": v} for k, v in outputs.items()]}]}
    if call == "ecs run-task":
        if "refused" in PLAN:
            return {"tasks": [], "failures": [{"reason": PLAN["refused"]}]}
        return {"tasks": [{"taskArn": "arn:aws:ecs:eu-west-1:1:task/etl/0123abcd"}], "failures": []}
    if call == "ecs stop-task":
        (HOME / "stopped").touch()
        return {"task": {"taskArn": "arn:aws:ecs:eu-west-1:1:task/etl/0123abcd"}}
    if call == "ecs describe-tasks":
        look = counted("looks")
        if look in PLAN.get("failing_looks", []):
            refuse("ServerException")
        statuses = PLAN["statuses"]
        status = "STOPPED" if (HOME / "stopped").exists() else statuses[min(look, len(statuses) - 1)]
        code = {"exitCode": PLAN["code"]} if status == "STOPPED" and "code" in PLAN else {}
        others = [{"name": "aws-guardduty-agent", "exitCode": 99}]
        return {"tasks": [{"lastStatus": status, "containers": [*others, {"name": "barncat", **code}],
                           "stoppedReason": PLAN.get("why")}]}
    if call == "logs get-log-events":
        if asked["logStreamName"] != "once/barncat/0123abcd" or asked["logGroupName"] != "/barncat/etl":
            refuse("ResourceNotFoundException")
        pages, at = PLAN["log"], int(asked.get("nextToken", "f/0").removeprefix("f/"))
        if not counted("log_asked"):
            refuse("ResourceNotFoundException: the stream is not there yet")
        lines = pages[at] if at < len(pages) else []
        return {"nextForwardToken": f"f/{min(at + 1, len(pages))}", "events": [{"message": line} for line in lines]}
    return refuse(f"{call} is not known here")


def text(value):
    """As the CLI's text output: a row a list, tabs between, None for nothing."""
    if not isinstance(value, list):
        return "None" if value is None else str(value)
    if any(isinstance(one, list) for one in value):
        return "\n".join(text(one) for one in value)
    return "\t".join(text(one) for one in value)


call, asked, query = read(sys.argv[1:])
with (HOME / "calls").open("a") as calls:
    calls.write(json.dumps([call, asked]) + "\n")
print(text(jmespath.search(query, answer(call, asked))))
