/** What keeps a process alive and what does not, tested in separate processes. */
import net from 'node:net'
import test, { type ExecutionContext } from 'ava'
import { ChildProgram, type ChildExit } from '../helpers/child-program.js'
import { byLength } from '../helpers/length.js'
import { rawFrame } from '../helpers/raw-frames.js'
import { makeTemporaryFolder, pathOf, randomName, type TemporaryFolder } from '../helpers/temporary-folder.js'

const WATCHDOG_MS = 20_000

/** A peer in this process that answers every chunk with one frame and hangs up when it is asked to leave. */
interface Peer {
  readonly endpoint: string
  readonly folder: TemporaryFolder
}

async function withPeer(body: (peer: Peer) => Promise<void>): Promise<void> {
  const folder = await makeTemporaryFolder()
  const endpoint = folder.endpoint()
  const sockets = new Set<net.Socket>()
  const server = net.createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    socket.on('data', (bytes) => {
      if (bytes.includes('leave')) socket.end()
      else socket.write(rawFrame('welcome'))
    })
  })
  try {
    await new Promise<void>((resolve) => server.listen(pathOf(endpoint), resolve))
    await body({ endpoint, folder })
  } finally {
    for (const socket of sockets) socket.destroy()
    await new Promise((resolve) => server.close(resolve))
    await folder.remove()
  }
}

/** Runs a fixture to its end, which it must reach by itself and with nothing on stderr. */
async function run(
  t: ExecutionContext,
  fixture: string,
  args: readonly string[],
  lead?: (child: ChildProgram) => Promise<void>,
): Promise<readonly string[]> {
  t.timeout(WATCHDOG_MS)
  const child = ChildProgram.start(fixture, args)
  let exit: ChildExit
  try {
    await lead?.(child)
    exit = await child.exit
  } finally {
    child.kill('SIGKILL')
  }
  t.is(exit.stderr, '')
  t.deepEqual([exit.code, exit.signal], [0, null])
  return exit.lines
}

/** Proves that the child is kept alive, and that it ends once it has released what kept it. */
async function holdsUntilReleased(child: ChildProgram): Promise<void> {
  await child.line('open')
  await child.proveAlive()
  child.tell('release')
  await child.line('released')
}

const held = ['open', 'pong', 'pong', 'pong', 'released', 'empty']

for (const shards of byLength({ short: ['2'], long: ['1', '2'] })) {
  test.serial(`an engine of ${shards} that has nothing open lets the process end`, async (t) => {
    t.deepEqual(await run(t, 'idle-engine', [shards]), [`up ${shards}`, 'empty'])
  })

  test.serial(`an engine of ${shards} that was closed in the middle of its work lets the process end`, async (t) => {
    const folder = await makeTemporaryFolder()
    try {
      const lines = await run(t, 'closed-engine', [folder.endpoint(), shards])
      t.deepEqual(lines, ['hello', 'leaked 0', 'empty'])
      t.deepEqual(await folder.list(), [])
    } finally {
      await folder.remove()
    }
  })

  test.serial(`closing an engine of ${shards} settles when nothing else is going on`, async (t) => {
    t.deepEqual(await run(t, 'quiet-close', [shards]), ['leaked 0', 'empty'])
  })

  test.serial(`an open listener of ${shards} keeps the process alive until it is closed`, async (t) => {
    const folder = await makeTemporaryFolder()
    try {
      const args = [folder.endpoint(), shards]
      t.deepEqual(await run(t, 'released-listener', args, holdsUntilReleased), held)
      t.deepEqual(await folder.list(), [])
    } finally {
      await folder.remove()
    }
  })
}

test.serial('an open memory listener keeps the process alive until it is closed', async (t) => {
  t.deepEqual(await run(t, 'released-listener', [`memory:${randomName()}`, '1'], holdsUntilReleased), held)
})

for (const [way, title] of [
  ['unref', "it is unref'd"],
  ['close', 'it is closed'],
  ['destroy', 'it is destroyed'],
  ['peer', 'its peer ends it'],
] as const) {
  test.serial(`an open connection keeps the process alive until ${title}`, async (t) => {
    await withPeer(async ({ endpoint }) => {
      t.deepEqual(await run(t, 'referenced-connection', [endpoint, way], holdsUntilReleased), held)
    })
  })
}

test.serial("an unref'd connection keeps nothing alive", async (t) => {
  await withPeer(async ({ endpoint }) => {
    t.deepEqual(await run(t, 'unreferenced-connection', [endpoint]), ['open', 'empty'])
  })
})

test.serial("an unref'd connection works as long as something else keeps the process alive", async (t) => {
  await withPeer(async ({ endpoint }) => {
    t.deepEqual(await run(t, 'unreferenced-traffic', [endpoint]), ['received', 'subscribed', 'empty'])
  })
})

test.serial('a connect under way keeps the process alive until it settles', async (t) => {
  await withPeer(async ({ endpoint, folder }) => {
    t.deepEqual(await run(t, 'pending-connect', [endpoint]), ['connecting', 'connected', 'empty'])
    const [connecting, refusal, empty] = await run(t, 'pending-connect', [folder.endpoint()])
    t.deepEqual([connecting, empty], ['connecting', 'empty'])
    t.regex(refusal ?? '', /there is no such path/)
  })
})

for (const wake of ['adaptive', 'park'] as const) {
  test.serial(`a quiet engine has no timer and no immediate armed, with wake ${wake}`, async (t) => {
    const folder = await makeTemporaryFolder()
    try {
      t.deepEqual(await run(t, 'quiet-engine', [folder.endpoint(), wake]), ['echoed', 'quiet', 'empty'])
    } finally {
      await folder.remove()
    }
  })
}
