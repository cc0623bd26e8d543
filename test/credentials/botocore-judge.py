"""Judges edits of a credentials file by botocore's own reading of it.

Reads lines of JSON, {"before", "after"} (base64), and says of each: "unreadable" when botocore cannot read the file as
it was before, or makes nothing of the profile's keys since other keys hang from them; "good" when nothing changed for it but the three keys of the profile; else what is wrong.
"""
import base64, json, os, re, sys, tempfile
from botocore.configloader import raw_config_parse
from botocore.credentials import SharedCredentialProvider
from botocore.exceptions import ConfigParseError

profile, expected = sys.argv[1], sys.argv[2:]
keys = ['aws_access_key_id', 'aws_secret_access_key', 'aws_session_token', 'aws_security_token']
folder = tempfile.mkdtemp()
path = os.path.join(folder, 'credentials')


def read(text):
    with open(path, 'wb') as file:
        file.write(base64.b64decode(text))
    raw_config_parse(path)
    return raw_config_parse(path, parse_subsections=False)


def others(sections):
    return {name: {key: value for key, value in section.items() if name != profile or key not in keys}
            for name, section in sections.items()}


def judge(case):
    try:
        before = read(case['before'])
    except ConfigParseError:
        return 'unreadable'
    before.setdefault(profile, {})
    if any(re.search(r'\n[\w.-]+\s*=\s*[^\s=]', before[profile].get(key, '')) for key in keys):
        return 'unreadable'
    after = read(case['after'])
    if others(before) != others(after):
        return f'{others(before)} became {others(after)}'
    found = SharedCredentialProvider(path, profile).load()
    got = [found.access_key, found.secret_key, found.token]
    return 'good' if got == expected else f'the keys are {got}'


for line in sys.stdin:
    try:
        verdict = judge(json.loads(line))
    except Exception as error:
        verdict = f'{type(error).__name__}: {error}'
    print(json.dumps(verdict))
os.remove(path)
os.rmdir(folder)
