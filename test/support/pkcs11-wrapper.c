/*
 * A PKCS #11 module for tests: hands everything on to SoftHSM and behaves as the environment says, so that tests can
 * meet what SoftHSM cannot do. Each call worth counting becomes a line in WRAPPER_LOG.
 *
 *   WRAPPER_MODULE       the module behind it
 *   WRAPPER_LOG          file that calls are appended to
 *   WRAPPER_SET_FLAGS    CK_TOKEN_INFO.flags to set, hexadecimal; WRAPPER_CLEAR_FLAGS to clear
 *   WRAPPER_PAD_PIN      the PIN that a person types on the reader's keys: used when C_Login gets none
 *   WRAPPER_ALWAYS_AUTH  every private key has CKA_ALWAYS_AUTHENTICATE
 *   WRAPPER_HANG         the function that never returns; WRAPPER_CRASH: that crashes
 *   WRAPPER_AWAY         a file: while it exists, the token is not there, and afterwards nobody is logged in
 *   WRAPPER_REPLUGGED    a file: when it appears, the token has been out for a moment
 *   WRAPPER_MECHANISMS   the only mechanisms on offer, hexadecimal, comma-separated
 *   WRAPPER_RAW_POINT    CKA_EC_POINT without its OCTET STRING
 *   WRAPPER_HIDE         an attribute type that nobody may read, hexadecimal
 *   WRAPPER_PRINT        chatter on standard output
 *   WRAPPER_OTHER_PIN    every PIN is wrong
 *   WRAPPER_LOGGED_IN    C_Login says that the user is logged in already
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <p11-kit/pkcs11.h>

static CK_FUNCTION_LIST_PTR real;
static CK_FUNCTION_LIST ours;
static CK_SESSION_HANDLE authenticated;
static CK_SESSION_HANDLE hashing;
static int was_away;
static int had_replugged;

static unsigned long number(const char *name) {
  const char *text = getenv(name);
  return text == NULL ? 0 : strtoul(text, NULL, 16);
}

static int is(const char *name, const char *value) {
  const char *text = getenv(name);
  return text != NULL && strcmp(text, value) == 0;
}

static int exists(const char *name) {
  const char *path = getenv(name);
  return path != NULL && access(path, F_OK) == 0;
}

static int is_away(void) {
  if (exists("WRAPPER_AWAY") || (exists("WRAPPER_REPLUGGED") && !had_replugged)) was_away = 1;
  return was_away;
}

static void called(const char *name, const char *detail) {
  const char *path = getenv("WRAPPER_LOG");
  if (path != NULL) {
    int file = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
    dprintf(file, "%s%s%s\n", name, detail == NULL ? "" : " ", detail == NULL ? "" : detail);
    close(file);
  }
  if (is("WRAPPER_CRASH", name)) raise(SIGSEGV);
  while (is("WRAPPER_HANG", name)) sleep(1);
}

static CK_RV initialize(CK_VOID_PTR args) {
  called("C_Initialize", NULL);
  had_replugged = exists("WRAPPER_REPLUGGED");
  was_away = 0;
  if (getenv("WRAPPER_PRINT") != NULL) {
    printf("chatter of the module\n");
    fflush(stdout);
  }
  return real->C_Initialize(args);
}

static CK_RV finalize(CK_VOID_PTR reserved) {
  called("C_Finalize", NULL);
  return real->C_Finalize(reserved);
}

static CK_RV get_slot_list(CK_BBOOL present, CK_SLOT_ID_PTR slots, CK_ULONG_PTR count) {
  if (is_away()) {
    *count = 0;
    return CKR_OK;
  }
  return real->C_GetSlotList(present, slots, count);
}

static CK_RV get_token_info(CK_SLOT_ID slot, CK_TOKEN_INFO_PTR info) {
  if (is_away()) return CKR_TOKEN_NOT_PRESENT;
  CK_RV result = real->C_GetTokenInfo(slot, info);
  if (result == CKR_OK && (info->flags & CKF_TOKEN_INITIALIZED) != 0) {
    info->flags |= number("WRAPPER_SET_FLAGS");
    info->flags &= ~number("WRAPPER_CLEAR_FLAGS");
  }
  return result;
}

static CK_RV get_mechanism_list(CK_SLOT_ID slot, CK_MECHANISM_TYPE_PTR mechanisms, CK_ULONG_PTR count) {
  const char *text = getenv("WRAPPER_MECHANISMS");
  if (text == NULL) return real->C_GetMechanismList(slot, mechanisms, count);
  CK_ULONG found = 0;
  char *end = (char *)text;
  while (*end != '\0') {
    CK_MECHANISM_TYPE mechanism = strtoul(end, &end, 16);
    if (mechanisms != NULL) mechanisms[found] = mechanism;
    found += 1;
    if (*end == ',') end += 1;
  }
  *count = found;
  return CKR_OK;
}

static CK_RV open_session(CK_SLOT_ID slot, CK_FLAGS flags, CK_VOID_PTR data, CK_NOTIFY notify,
                          CK_SESSION_HANDLE_PTR session) {
  called("C_OpenSession", NULL);
  if (is_away()) return CKR_TOKEN_NOT_PRESENT;
  CK_RV result = real->C_OpenSession(slot, flags, data, notify, session);
  if (result != CKR_OK) called("C_OpenSession failed", NULL);
  return result;
}

static CK_RV close_session(CK_SESSION_HANDLE session) {
  called("C_CloseSession", NULL);
  return real->C_CloseSession(session);
}

static CK_RV login(CK_SESSION_HANDLE session, CK_USER_TYPE user, CK_UTF8CHAR_PTR pin, CK_ULONG length) {
  called("C_Login", user == CKU_CONTEXT_SPECIFIC ? "signature" : length == 0 ? "reader" : "user");
  if (is_away()) return CKR_DEVICE_REMOVED;
  if (getenv("WRAPPER_LOGGED_IN") != NULL) {
    real->C_Login(session, user, pin, length);
    return CKR_USER_ALREADY_LOGGED_IN;
  }
  const char *typed = getenv("WRAPPER_PAD_PIN");
  if (length == 0 && typed != NULL) {
    pin = (CK_UTF8CHAR_PTR)typed;
    length = strlen(typed);
  }
  if (getenv("WRAPPER_OTHER_PIN") != NULL) return CKR_PIN_INCORRECT;
  if (user != CKU_CONTEXT_SPECIFIC) return real->C_Login(session, user, pin, length);
  /* SoftHSM has no such keys; their login must hold the right PIN, of which the tests have but one. */
  if (length != 4 || memcmp(pin, "1234", 4) != 0) return CKR_PIN_INCORRECT;
  authenticated = session;
  return CKR_OK;
}

static CK_RV get_attribute_value(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_PTR attributes,
                                 CK_ULONG count) {
  if (is_away()) return CKR_DEVICE_REMOVED;
  if (getenv("WRAPPER_HIDE") != NULL && attributes[0].type == number("WRAPPER_HIDE")) {
    attributes[0].ulValueLen = CK_UNAVAILABLE_INFORMATION;
    return CKR_ATTRIBUTE_TYPE_INVALID;
  }
  if (getenv("WRAPPER_ALWAYS_AUTH") != NULL && attributes[0].type == CKA_ALWAYS_AUTHENTICATE) {
    if (attributes[0].pValue != NULL) *(CK_BBOOL *)attributes[0].pValue = CK_TRUE;
    attributes[0].ulValueLen = sizeof(CK_BBOOL);
    return CKR_OK;
  }
  CK_RV result = real->C_GetAttributeValue(session, object, attributes, count);
  if (result == CKR_OK && getenv("WRAPPER_RAW_POINT") != NULL && attributes[0].type == CKA_EC_POINT &&
      attributes[0].pValue != NULL) {
    CK_BYTE_PTR value = attributes[0].pValue;
    CK_ULONG header = value[1] < 0x80 ? 2 : 3;
    attributes[0].ulValueLen -= header;
    memmove(value, value + header, attributes[0].ulValueLen);
  }
  return result;
}

static int is_offered(CK_MECHANISM_TYPE mechanism) {
  CK_MECHANISM_TYPE offered[16];
  CK_ULONG count = 16;
  if (getenv("WRAPPER_MECHANISMS") == NULL) return 1;
  get_mechanism_list(0, offered, &count);
  for (CK_ULONG index = 0; index < count; index += 1) {
    if (offered[index] == mechanism) return 1;
  }
  return 0;
}

static CK_RV sign_init(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE key) {
  char detail[32];
  snprintf(detail, sizeof detail, "0x%lx", mechanism->mechanism);
  called("C_SignInit", detail);
  if (is_away()) return CKR_DEVICE_REMOVED;
  if (!is_offered(mechanism->mechanism)) return CKR_MECHANISM_INVALID;
  hashing = 0;
  if (mechanism->mechanism == CKM_ECDSA_SHA256) {
    /* Not in SoftHSM 2.6: hashed here. */
    CK_MECHANISM plain = {CKM_ECDSA, NULL, 0};
    hashing = session;
    return real->C_SignInit(session, &plain, key);
  }
  return real->C_SignInit(session, mechanism, key);
}

static CK_RV sign(CK_SESSION_HANDLE session, CK_BYTE_PTR data, CK_ULONG length, CK_BYTE_PTR signature,
                  CK_ULONG_PTR signature_length) {
  called("C_Sign", NULL);
  if (is_away()) return CKR_DEVICE_REMOVED;
  if (getenv("WRAPPER_ALWAYS_AUTH") != NULL && authenticated != session) return CKR_USER_NOT_LOGGED_IN;
  authenticated = 0;
  if (hashing != session) return real->C_Sign(session, data, length, signature, signature_length);
  CK_SESSION_INFO info;
  CK_SESSION_HANDLE other;
  CK_MECHANISM sha256 = {CKM_SHA256, NULL, 0};
  CK_BYTE digest[32];
  CK_ULONG digest_length = sizeof digest;
  real->C_GetSessionInfo(session, &info);
  real->C_OpenSession(info.slotID, CKF_SERIAL_SESSION, NULL, NULL, &other);
  real->C_DigestInit(other, &sha256);
  real->C_Digest(other, data, length, digest, &digest_length);
  real->C_CloseSession(other);
  return real->C_Sign(session, digest, digest_length, signature, signature_length);
}

CK_RV C_GetFunctionList(CK_FUNCTION_LIST_PTR_PTR list) {
  void *library = dlopen(getenv("WRAPPER_MODULE"), RTLD_NOW | RTLD_LOCAL);
  if (library == NULL) return CKR_GENERAL_ERROR;
  CK_RV (*get_list)(CK_FUNCTION_LIST_PTR_PTR) =
      (CK_RV(*)(CK_FUNCTION_LIST_PTR_PTR))dlsym(library, "C_GetFunctionList");
  CK_RV result = get_list(&real);
  if (result != CKR_OK) return result;
  ours = *real;
  ours.C_Initialize = initialize;
  ours.C_Finalize = finalize;
  ours.C_GetSlotList = get_slot_list;
  ours.C_GetTokenInfo = get_token_info;
  ours.C_GetMechanismList = get_mechanism_list;
  ours.C_OpenSession = open_session;
  ours.C_CloseSession = close_session;
  ours.C_Login = login;
  ours.C_GetAttributeValue = get_attribute_value;
  ours.C_SignInit = sign_init;
  ours.C_Sign = sign;
  *list = &ours;
  return CKR_OK;
}
