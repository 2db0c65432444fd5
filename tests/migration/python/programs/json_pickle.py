"""Libraries written in Python at work: json, pickle, csv, textwrap, copy."""

import copy
import csv
import io
import json
import pickle
import textwrap

data = {"a": [1, 2.5, None, True], "b": {"c": "é"}}
text = json.dumps(data, indent=1, sort_keys=True, default=str)
print(text, json.loads(text) == data)
print(json.dumps(data, cls=json.JSONEncoder, indent=None))
out = io.StringIO()
writer = csv.writer(out)
for row in ([1, "x,y"], [2, 'q"']):
    writer.writerow(row)
print(list(csv.reader(io.StringIO(out.getvalue()))))
twin = copy.deepcopy(data)
twin["a"].append(1)
print(len(data["a"]), len(twin["a"]), pickle.loads(pickle.dumps(data)) == data)
print(textwrap.fill("word " * 20, 30))
