// A function that is called again and again in one process, as AWS Lambda and its like do. What stands outside of the
// handler is made once: all calls share one session, and one client. Nothing here keeps the process from being frozen
// or ended between two calls.
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { fromRolesAnywhere } from 'rolesanywhere';

const sts = new STSClient({
  region: 'eu-central-1',
  credentials: fromRolesAnywhere({
    trustAnchorArn: process.env.TRUST_ANCHOR_ARN,
    profileArn: process.env.PROFILE_ARN,
    roleArn: process.env.ROLE_ARN,
    // PEM text, as a secrets manager hands it out.
    certificate: process.env.CERTIFICATE_PEM,
    privateKey: process.env.PRIVATE_KEY_PEM,
  }),
});

export async function handler() {
  const { Arn } = await sts.send(new GetCallerIdentityCommand());
  return { arn: Arn };
}
