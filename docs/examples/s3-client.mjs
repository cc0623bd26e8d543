// Lists the buckets that the role may list. The credentials are refreshed for as long as the program runs.
import { ListBucketsCommand, S3Client } from '@aws-sdk/client-s3';
import { fromRolesAnywhere } from 'rolesanywhere';

const s3 = new S3Client({
  region: 'eu-central-1',
  credentials: fromRolesAnywhere({
    trustAnchorArn: process.env.TRUST_ANCHOR_ARN,
    profileArn: process.env.PROFILE_ARN,
    roleArn: process.env.ROLE_ARN,
    certificate: 'leaf.pem',
    privateKey: 'leaf.key',
  }),
});

const { Buckets = [] } = await s3.send(new ListBucketsCommand());
for (const { Name } of Buckets) console.log(Name);
