// The process that loads the PKCS #11 module: started by connection.ts, one for each module that is in use. It says
// which function it calls before it calls it, so that its parent can name a module that crashes or hangs.
import { connectToParent } from '../../runtime/parent.ts';
import { RolesAnywhereError } from '../../errors.ts';
import { openAddon } from './addon.ts';
import { announceCalls } from './cryptoki.ts';
import { explainFailure } from './failure.ts';
import type { FromHost, PinQuestion, Request, ToHost } from './protocol.ts';
import { TokenService } from './service.ts';

let service: TokenService | undefined;
let answerPin: ((answer: ToHost) => void) | undefined;
let library = 'the PKCS#11 module';

const parent = connectToParent(
  (message) => {
    const received = message as ToHost;
    if ('request' in received) void handle(received.request);
    else answerPin?.(received);
  },
  () => {
    service?.close();
    parent.leave();
  },
);

async function handle(request: Request): Promise<void> {
  try {
    send({ result: await perform(request) });
  } catch (error) {
    send({ failure: explainFailure(error, library) });
  }
  if (request.name === 'close') parent.leave();
}

async function perform(request: Request): Promise<unknown> {
  switch (request.name) {
    case 'load':
      library = request.params.library;
      service = await openService();
      service.load(request.params);
      return undefined;
    case 'certificates':
      return service?.certificates(request.params);
    case 'keys':
      return service?.keys(request.params);
    case 'sign':
      return service?.sign(request.params);
    case 'close':
      service?.close();
      return undefined;
  }
}

async function openService(): Promise<TokenService> {
  let isOnReader = false;
  const cryptoki = announceCalls(await openAddon(), (call) => {
    // A person who types on the reader takes as long as it takes.
    const patient = call === 'C_Login' && isOnReader;
    if (patient) isOnReader = false;
    send({ call, patient });
  });
  return new TokenService(cryptoki, {
    warn: (warning, hint) => {
      send({ warning, ...(hint === undefined ? {} : { hint }) });
    },
    debug: (debug) => {
      send({ debug });
    },
    enterPinOnReader: (token) => {
      isOnReader = true;
      send({ warning: `enter the PIN of ${token} on the reader` });
    },
    askPin,
  });
}

async function askPin(question: PinQuestion): Promise<string> {
  const answer = await new Promise<ToHost>((resolve) => {
    answerPin = resolve;
    send({ question });
  });
  if ('pin' in answer) return answer.pin;
  // The parent has its own error at hand and puts it in this one's place.
  throw new RolesAnywhereError('PASSWORD_REQUIRED', 'no PIN');
}

function send(message: FromHost): void {
  parent.send(message);
}
