/** Temporary AWS credentials, in the shape that the AWS SDK for JavaScript v3 uses. */
export interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string;
  readonly expiration: Date;
}
