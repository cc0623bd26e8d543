import type { Cryptoki, Handle, TokenInfo, Version } from './cryptoki.ts';
import { CryptokiError, patiently } from './cryptoki.ts';
import { equal, readUlong } from './objects.ts';
import type { TokenObject } from './objects.ts';
import type { Search } from './protocol.ts';
import { formatPkcs11Uri } from './uri.ts';
import type { ObjectType } from './uri.ts';

/** A slot with a token in it. */
export interface Slot {
  readonly handle: Handle;
  /** What a URI may say of the slot and its token. */
  readonly facts: Search;
}

/**
 * The slots that hold a token, whether the search matches them or not. A slot that cannot be read is skipped, and
 * `skipped` is told why.
 */
export function readSlots(cryptoki: Cryptoki, skipped: (reason: string) => void): readonly Slot[] {
  const library = cryptoki.C_GetInfo();
  return cryptoki.C_GetSlotList(true).flatMap((handle) => {
    const slotId = readUlong(handle);
    try {
      const slot = cryptoki.C_GetSlotInfo(handle);
      const token = patiently(() => cryptoki.C_GetTokenInfo(handle));
      const facts = {
        slotId,
        slotDescription: unpadded(slot.slotDescription),
        slotManufacturer: unpadded(slot.manufacturerID),
        libraryManufacturer: unpadded(library.manufacturerID),
        libraryDescription: unpadded(library.libraryDescription),
        libraryVersion: formatVersion(library.libraryVersion),
        ...tokenFacts(token),
      };
      return [{ handle, facts }];
    } catch (error) {
      if (!(error instanceof CryptokiError)) throw error;
      skipped(`slot ${slotId.toString()}: ${error.message}`);
      return [];
    }
  });
}

function tokenFacts(token: TokenInfo): Search {
  return {
    token: unpadded(token.label),
    manufacturer: unpadded(token.manufacturerID),
    model: unpadded(token.model),
    serial: unpadded(token.serialNumber),
  };
}

/** Fixed-width texts end in blanks (version 2.40, section 3.1); some modules write zeros. */
function unpadded(text: string): string {
  return text.replace(/[\0 ]+$/, '');
}

function formatVersion({ major, minor }: Version): string {
  return `${major}.${minor}`;
}

const slotAttributes = [
  'slotId',
  'slotDescription',
  'slotManufacturer',
  'libraryManufacturer',
  'libraryDescription',
  'libraryVersion',
  'token',
  'manufacturer',
  'model',
  'serial',
] as const satisfies (keyof Search)[];

/** RFC 7512, section 2.5: what the search does not say, matches. */
export function matchesSlot(search: Search, { facts }: Slot): boolean {
  return slotAttributes.every((name) => search[name] === undefined || search[name] === facts[name]);
}

export function matchesObject(search: Search, { id, label }: TokenObject): boolean {
  return (
    (search.id === undefined || equal(search.id, id)) &&
    (search.object === undefined || equal(search.object, label))
  );
}

/** What a search says of slot and token, without the object. */
export function slotSearch(search: Search): Search {
  return Object.fromEntries(
    slotAttributes.filter((name) => search[name] !== undefined).map((name) => [name, search[name]]),
  );
}

/** The URI that names one token, wherever it is plugged in, or one object on it. */
export function objectUri({ facts }: Slot, object?: TokenObject, type?: ObjectType): string {
  const { token = '', manufacturer = '', model = '', serial = '' } = facts;
  return formatPkcs11Uri({
    token,
    manufacturer,
    model,
    serial,
    ...(object !== undefined && object.id.length > 0 ? { id: object.id } : {}),
    ...(object !== undefined && object.label.length > 0 ? { object: object.label } : {}),
    ...(type === undefined ? {} : { type }),
  });
}

/** `token "ra" (serial 0123)`, for messages. */
export function describeToken({ facts }: Slot): string {
  return `token "${facts.token ?? ''}" (serial ${facts.serial ?? ''}, slot-id ${facts.slotId?.toString() ?? ''})`;
}

/** What the slot is called in messages between the processes. */
export function nameOf({ handle }: Slot): string {
  return readUlong(handle).toString();
}
