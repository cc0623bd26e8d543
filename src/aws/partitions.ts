/** What differs between AWS's partitions: which regions belong to one, and under which domains its hosts are. */
export interface Partition {
  readonly regions: RegExp;
  readonly suffix: string;
  readonly dualStackSuffix: string;
}

/**
 * The partitions and their domains, as in the SDKs' partitions.json. Regions have the shape `us-east-1`; each other
 * partition has its own beginning, and what begins otherwise is in `aws`.
 */
export const partitions: Readonly<Record<string, Partition>> = {
  aws: {
    regions: /^(?!cn-|us-gov-|eusc-|(?:us|eu)-iso)[a-z]{2}(?:-[a-z]+)+-\d{1,2}$/u,
    suffix: 'amazonaws.com',
    dualStackSuffix: 'api.aws',
  },
  'aws-us-gov': { regions: /^us-gov-[a-z]+-\d{1,2}$/u, suffix: 'amazonaws.com', dualStackSuffix: 'api.aws' },
  'aws-cn': {
    regions: /^cn-[a-z]+-\d{1,2}$/u,
    suffix: 'amazonaws.com.cn',
    dualStackSuffix: 'api.amazonwebservices.com.cn',
  },
  'aws-iso': {
    regions: /^us-iso-[a-z]+-\d{1,2}$/u,
    suffix: 'c2s.ic.gov',
    dualStackSuffix: 'api.aws.ic.gov',
  },
  'aws-iso-b': {
    regions: /^us-isob-[a-z]+-\d{1,2}$/u,
    suffix: 'sc2s.sgov.gov',
    dualStackSuffix: 'api.aws.scloud',
  },
  'aws-iso-e': {
    regions: /^eu-isoe-[a-z]+-\d{1,2}$/u,
    suffix: 'cloud.adc-e.uk',
    dualStackSuffix: 'api.cloud-aws.adc-e.uk',
  },
  'aws-iso-f': {
    regions: /^us-isof-[a-z]+-\d{1,2}$/u,
    suffix: 'csp.hci.ic.gov',
    dualStackSuffix: 'api.aws.hci.ic.gov',
  },
  'aws-eusc': {
    regions: /^eusc-[a-z]+(?:-[a-z]+)*-\d{1,2}$/u,
    suffix: 'amazonaws.eu',
    dualStackSuffix: 'api.amazonwebservices.eu',
  },
};

/** The name of the partition that a region belongs to; undefined for what has not the shape of a region. */
export function partitionOfRegion(region: string): string | undefined {
  return Object.entries(partitions).find(([, partition]) => partition.regions.test(region))?.[0];
}
