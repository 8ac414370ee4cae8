/** The folder of `local:` names is checked at each use, not only when a transport is made. */
import fs from 'node:fs'
import net from 'node:net'
import os from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import test, { type ExecutionContext } from 'ava'
import { localFolder, longestLocalName, resolveEndpoint } from '../../api/endpoint.js'
import { createEngine, type Connection, type Engine } from '../../api/index.js'
import { withEnvironment } from '../helpers/environment.js'
import { rejects } from '../helpers/expected-errors.js'
import { faultyOptions, nextEvent, strike } from '../helpers/faults.js'
import { makeTemporaryFolder, randomName } from '../helpers/temporary-folder.js'
import { until } from '../helpers/turns.js'
import { failOnWarnings } from '../helpers/warnings.js'

const WATCHDOG_MS = 30_000
const NOBODY = 65_534
const isRoot = process.getuid?.() === 0
const onUnix = process.platform === 'win32' ? test.serial.skip : test.serial
const onLinux = process.platform === 'linux' ? test.serial : test.serial.skip

failOnWarnings()

/** How the folder was made again: as something else, or with a mode that lets others in. */
const replacements: Readonly<Record<string, (path: string) => void>> = {
  'open to others': (path) => {
    fs.mkdirSync(path)
    fs.chmodSync(path, 0o755)
  },
  'a symbolic link to a private folder': (path) => {
    fs.mkdirSync(`${path}.real`, { mode: 0o700 })
    fs.symlinkSync(`${path}.real`, path)
  },
  ...(isRoot && {
    "another user's": (path: string) => {
      fs.mkdirSync(path, { mode: 0o700 })
      fs.chownSync(path, NOBODY, NOBODY)
    },
  }),
}

interface Scene {
  readonly engine: Engine
  readonly name: string
  /** The folder of local names. */
  readonly private: string
  /** Moves that folder away, and makes another in its place with a socket of that name in it. */
  readonly replace: (make: (path: string) => void) => Promise<Stranger>
}

/** A stranger that listens in a folder that is not ours. */
class Stranger {
  connections = 0
  readonly #server: net.Server

  constructor() {
    this.#server = net.createServer((socket) => {
      this.connections++
      socket.on('error', () => undefined)
    })
  }

  async listen(path: string): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(path, resolve))
    return this
  }

  close(): void {
    this.#server.close()
  }
}

async function withScene(
  t: ExecutionContext,
  options: Parameters<typeof createEngine>[0],
  body: (scene: Scene) => Promise<void>,
): Promise<void> {
  t.timeout(WATCHDOG_MS)
  const folder = await makeTemporaryFolder()
  const strangers: Stranger[] = []
  try {
    await withEnvironment({ XDG_RUNTIME_DIR: undefined, TMPDIR: folder.path }, async () => {
      const engine = await createEngine({ shards: 1, ...options })
      const name = randomName()
      const path = join(folder.path, `symphony-transport-${String(process.getuid?.() ?? 0)}`)
      const replace = async (make: (path: string) => void): Promise<Stranger> => {
        if (fs.existsSync(path)) fs.renameSync(path, `${path}.${randomName()}`)
        make(path)
        const stranger = await new Stranger().listen(join(path, `${name}.sock`))
        strangers.push(stranger)
        return stranger
      }
      try {
        await body({ engine, name, private: path, replace })
      } finally {
        t.is((await engine.close()).leaked, 0)
      }
    })
  } finally {
    for (const stranger of strangers) stranger.close()
    await folder.remove()
  }
}

for (const [what, make] of Object.entries(replacements)) {
  onUnix(`a transport whose folder is ${what} by now neither connects nor listens there`, async (t) => {
    await withScene(t, {}, async ({ engine, name, private: path, replace }) => {
      const transport = engine.transport(`local:${name}`)
      await (await transport.listen(() => undefined)).close()
      const stranger = await replace(make)
      const names = fs.readdirSync(path)
      for (const attempt of [() => transport.connect(), () => transport.listen()]) {
        const error = await rejects(t, attempt(), 'ERR_ACCESS')
        t.is(error.endpoint, `local:${name}`)
        t.regex(error.message, /is not a folder that only you can enter/)
      }
      t.is(stranger.connections, 0)
      t.deepEqual(fs.readdirSync(path), names)
    })
  })

  onUnix(`nor does a reconnecting connection or a pool that dials again when its folder is ${what}`, async (t) => {
    await withScene(t, {}, async ({ engine, name, replace }) => {
      const transport = engine.transport(`local:${name}`)
      const accepted: Connection[] = []
      const listener = await transport.listen((connection) => {
        accepted.push(connection)
      })
      const reconnecting = transport.reconnecting({ backoff: { initialMs: 1, maxMs: 1 } })
      await reconnecting.connected()
      const pool = transport.pool({ max: 1, createAttempts: 1 })
      ;(await pool.acquire()).destroy()
      await until(() => accepted.length === 2)
      const stranger = await replace(make)
      await listener.close()
      for (const connection of accepted) connection.destroy()
      t.is((await reconnecting.closed).code, 'ERR_ACCESS')
      await rejects(t, pool.acquire(), 'ERR_ACCESS')
      await pool.close()
      t.is(stranger.connections, 0)
    })
  })
}

onUnix('a transport only makes a name: no folder is made or checked before it is used', async (t) => {
  await withScene(t, {}, async ({ engine, name, private: path }) => {
    fs.writeFileSync(path, 'precious')
    const transport = engine.transport(`local:${name}`)
    t.is(transport.endpoint, `local:${name}`)
    fs.unlinkSync(path)
    await rejects(t, transport.connect(), 'ERR_NOT_FOUND')
    t.false(fs.existsSync(path), 'connect() makes no folder')
    const listener = await transport.listen(() => undefined)
    t.is(fs.lstatSync(path).mode & 0o7777, 0o700)
    await listener.close()
  })
})

onUnix('a name that is not there is told with the path where it was looked for', async (t) => {
  await withScene(t, {}, async ({ engine, name, private: path }) => {
    for (const step of ['without the folder', 'in the folder']) {
      const { message } = await rejects(t, engine.transport(`local:${name}`).connect(), 'ERR_NOT_FOUND')
      t.is(
        message,
        `connecting to local:${name}: there is no ${join(path, `${name}.sock`)}. Start the peer first, as the same user and with the same XDG_RUNTIME_DIR.`,
        step,
      )
      fs.mkdirSync(path, { mode: 0o700, recursive: true })
    }
  })
})

onUnix('the length that a name may have is the one that is accepted', async (t) => {
  for (const folder of ['/run/user/1000', `/run/${'u'.repeat(60)}`]) {
    await withEnvironment({ XDG_RUNTIME_DIR: folder }, () => {
      const length = longestLocalName(localFolder('local:').path)
      t.is(resolveEndpoint(`local:${'n'.repeat(length)}`).kind, 'local')
      t.throws(() => resolveEndpoint(`local:${'n'.repeat(length + 1)}`))
      return Promise.resolve()
    })
  }
})

onUnix('a listener goes on in the folder that it was opened in, also on a thread that comes back', async (t) => {
  await withScene(t, faultyOptions(), async ({ engine, name, private: path, replace }) => {
    const listener = await engine.transport(`local:${name}`).listen((connection) => {
      connection.subscribe((frame) => connection.send(frame))
    })
    const [make] = Object.values(replacements)
    if (make === undefined) throw new Error('there is no replacement')
    const stranger = await replace(make)
    const restored = nextEvent('shard.restored')
    await strike(engine, 0, 'exit')
    await restored
    const kept = fs.readdirSync(join(path, '..')).find((entry) => /^symphony-transport-\d+\.t/.test(entry))
    const connection = await engine.transport(`unix:${join(path, '..', kept ?? '', `${name}.sock`)}`).connect()
    connection.send('still there')
    t.is(String(await connection.receive()), 'still there')
    await connection.close()
    await listener.close()
    t.is(stranger.connections, 0)
    t.deepEqual(fs.readdirSync(path), [`${name}.sock`], "the stranger's own socket stays")
  })
})

onLinux('no descriptor of a folder is left open, whatever the result of the dial', async (t) => {
  await withScene(t, {}, async ({ engine, name, private: path }) => {
    const transport = engine.transport(`local:${name}`)
    const foldersOpen = (): number =>
      fs.readdirSync('/proc/self/fd').filter((descriptor) => {
        try {
          return fs.readlinkSync(`/proc/self/fd/${descriptor}`).startsWith(os.tmpdir())
        } catch {
          return false
        }
      }).length
    const listener = await transport.listen((connection) => void connection.close())
    await (await transport.connect()).close()
    for (let round = 0; round < 20; round++) {
      await (await transport.connect()).close()
      await rejects(t, engine.transport(`local:${randomName()}`).connect(), 'ERR_NOT_FOUND')
      await rejects(t, transport.listen(), 'ERR_ADDRESS_IN_USE')
      const controller = new AbortController()
      const given = transport.connect({ signal: controller.signal })
      controller.abort()
      await rejects(t, given, 'ERR_ABORTED')
    }
    fs.chmodSync(path, 0o755)
    for (let round = 0; round < 20; round++) {
      await rejects(t, transport.connect(), 'ERR_ACCESS')
      await rejects(t, transport.listen(), 'ERR_ACCESS')
    }
    fs.chmodSync(path, 0o700)
    t.is(foldersOpen(), 0)
    await listener.close()
  })
})
