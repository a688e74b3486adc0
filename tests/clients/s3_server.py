"""An S3 service on a port of its own, with one bucket; prints the port, then answers one JSON request a line.

{"put": KEY, "text": TEXT} stores an object as somebody else would, {"get": KEY} answers its text, or null.
"""

import json
import logging
import sys

import boto3
from moto.server import ThreadedMotoServer

logging.getLogger("werkzeug").setLevel(logging.ERROR)
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
host, port = server.get_host_and_port()
client = boto3.client(
    "s3",
    endpoint_url=f"http://{host}:{port}",
    aws_access_key_id="test",
    aws_secret_access_key="test",
    region_name="us-east-1",
)
client.create_bucket(Bucket="lake")
print(port, flush=True)
for line in sys.stdin:
    ask = json.loads(line)
    answer = None
    if "put" in ask:
        client.put_object(Bucket="lake", Key=ask["put"], Body=ask["text"].encode())
    else:
        try:
            answer = client.get_object(Bucket="lake", Key=ask["get"])["Body"].read().decode()
        except client.exceptions.NoSuchKey:
            pass
    print(json.dumps(answer), flush=True)
server.stop()
