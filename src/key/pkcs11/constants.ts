// The numbers of PKCS #11 that we use, from OASIS "PKCS #11 Specification Version 3.2", header pkcs11t.h.

/** C_Initialize */
export const CKF_OS_LOCKING_OK = 0x02;

/** C_OpenSession: read-only, and serial as every session has been since version 2.0. */
export const CKF_SERIAL_SESSION = 0x04;

/** CK_TOKEN_INFO.flags */
export const CKF_LOGIN_REQUIRED = 0x04;
export const CKF_PROTECTED_AUTHENTICATION_PATH = 0x100;
export const CKF_USER_PIN_FINAL_TRY = 0x20000;
export const CKF_USER_PIN_LOCKED = 0x40000;

export const CKU_USER = 1;
export const CKU_CONTEXT_SPECIFIC = 2;

export const CKO_CERTIFICATE = 1;
export const CKO_PUBLIC_KEY = 2;
export const CKO_PRIVATE_KEY = 3;

export const CKC_X_509 = 0;

export const CKA_CLASS = 0x00;
export const CKA_LABEL = 0x03;
export const CKA_VALUE = 0x11;
export const CKA_CERTIFICATE_TYPE = 0x80;
export const CKA_KEY_TYPE = 0x100;
export const CKA_ID = 0x102;
export const CKA_MODULUS = 0x120;
export const CKA_PUBLIC_EXPONENT = 0x122;
export const CKA_PUBLIC_KEY_INFO = 0x129;
export const CKA_EC_PARAMS = 0x180;
export const CKA_EC_POINT = 0x181;
export const CKA_ALWAYS_AUTHENTICATE = 0x202;
export const CKA_PARAMETER_SET = 0x61d;

export const CKK_RSA = 0x00;
export const CKK_EC = 0x03;
export const CKK_ML_DSA = 0x4a;

export const CKM_RSA_PKCS = 0x01;
export const CKM_ML_DSA = 0x1d;
export const CKM_SHA256_RSA_PKCS = 0x40;
export const CKM_SHA384_RSA_PKCS = 0x41;
export const CKM_SHA512_RSA_PKCS = 0x42;
export const CKM_ECDSA = 0x1041;
export const CKM_ECDSA_SHA256 = 0x1044;
export const CKM_ECDSA_SHA384 = 0x1045;
export const CKM_ECDSA_SHA512 = 0x1046;
