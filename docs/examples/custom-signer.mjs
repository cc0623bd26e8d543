// A key that never leaves the machine that holds it: a signing service of your own, or AWS KMS in another account, is
// asked for each signature. One is needed for each session.
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { fromRolesAnywhere } from 'rolesanywhere';

const { publicKey } = new X509Certificate(readFileSync('leaf.pem'));

const signer = {
  keyType: 'ec',
  publicKey: publicKey.export({ type: 'spki', format: 'der' }),
  // The signature of the message's digest: DER of r and s for an EC key, PKCS#1 v1.5 for an RSA key.
  async sign(message, digest = 'SHA256') {
    const answer = await fetch(`${process.env.SIGNING_SERVICE}/sign?digest=${digest}`, {
      method: 'POST',
      body: message,
    });
    if (!answer.ok) throw new Error(`the signing service answered ${answer.status}`);
    return new Uint8Array(await answer.arrayBuffer());
  },
};

const sts = new STSClient({
  region: 'eu-central-1',
  credentials: fromRolesAnywhere({
    trustAnchorArn: process.env.TRUST_ANCHOR_ARN,
    profileArn: process.env.PROFILE_ARN,
    roleArn: process.env.ROLE_ARN,
    certificate: 'leaf.pem',
    signer,
  }),
});

const { Arn } = await sts.send(new GetCallerIdentityCommand());
console.log(Arn);
