import type { Credentials } from '../../aws/credentials.ts';
import { checkProfileName } from '../../credentials/profile.ts';
import { ProfileKeeper } from '../../credentials/profile-keeper.ts';
import { Refresher } from '../../credentials/refresher.ts';
import type { SessionSource } from '../../credentials/session-source.ts';
import { sharedCredentialsFile, writeProfile } from '../../credentials/shared-file.ts';
import { wholeSeconds } from '../../credentials/whole-seconds.ts';
import type { Reporter } from '../../reporter.ts';
import { connectToServiceManager } from '../../runtime/service-manager.ts';
import { atMost, daemonStop, ready } from '../daemon.ts';
import type { Reading } from '../fast-path.ts';
import { stderrReporter } from '../output.ts';
import { sessionOptions } from '../session-options.ts';
import { commandSessions } from '../session-source.ts';

/** Milliseconds that what is under way may take at the end. */
const grace = 4000;

type Write = (credentials: Credentials, signal?: AbortSignal) => Promise<void>;

/** Writes one profile of the shared credentials file: once, or again for each new session until SIGINT or SIGTERM. */
export async function run({ values }: Reading<'update'>): Promise<void> {
  const log = stderrReporter(values.debug);
  const { profile } = values;
  checkProfileName(profile);
  const file = sharedCredentialsFile();
  const options = sessionOptions(values, log);
  const source = await commandSessions(values, options, log, { triesAgain: !values.once });
  const write: Write = async (credentials, signal) => {
    await writeProfile(file, profile, credentials, signal);
    const until = wholeSeconds(credentials.expiration);
    const words = `profile ${profile} of ${file} has credentials until ${until}`;
    if (values.once) log.debug(words);
    else log.note(words);
  };
  await (values.once ? writeOnce(source, write) : keepWriting(source, write, log));
}

async function writeOnce(source: SessionSource, write: Write): Promise<void> {
  try {
    const { credentials } = await source.open();
    await write(credentials);
  } finally {
    await source[Symbol.asyncDispose]();
  }
}

/** What fails for the first time ends it, for nobody relies on it yet; nothing does later. */
async function keepWriting(source: SessionSource, write: Write, log: Required<Reporter>): Promise<void> {
  const stopped = daemonStop();
  const manager = await connectToServiceManager(log);
  const keeper = new ProfileKeeper({ write, reporter: log });
  const refresher = new Refresher({
    source,
    reporter: log,
    observer: {
      opened({ credentials }) {
        keeper.put(credentials);
      },
    },
  });
  const start = async (): Promise<void> => {
    await refresher.start();
    await keeper.start();
    ready(manager, async () => {
      await refresher.refresh();
      await atMost(grace, keeper.written());
    });
  };
  try {
    await Promise.race([start(), stopped]);
    await stopped;
  } finally {
    manager.notify('STOPPING=1');
    await atMost(
      grace,
      Promise.allSettled([keeper[Symbol.asyncDispose](), refresher[Symbol.asyncDispose]()]),
    );
  }
}
