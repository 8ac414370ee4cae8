/** Paths that cannot be used: the error for each, and that nothing there is changed. */
import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import { basename, join } from 'node:path'
import process from 'node:process'
import test, { type ExecutionContext } from 'ava'
import { createEngine, type Engine } from '../../api/index.js'
import { ChildProgram } from '../helpers/child-program.js'
import { withEnvironment } from '../helpers/environment.js'
import { rejects } from '../helpers/expected-errors.js'
import { leaveStaleSocket } from '../helpers/stale-socket.js'
import { makeTemporaryFolder, randomName, type TemporaryFolder } from '../helpers/temporary-folder.js'
import { failOnWarnings } from '../helpers/warnings.js'

const WATCHDOG_MS = 20_000
const isRoot = process.getuid?.() === 0

let engine: Engine
let folder: TemporaryFolder

failOnWarnings()

test.serial.before('an engine starts', async () => {
  engine = await createEngine({ shards: 2 })
})

test.serial.beforeEach('a new folder', async () => {
  folder = await makeTemporaryFolder()
})

test.serial.afterEach.always('the folder is removed', async () => {
  await folder.remove()
})

test.serial.after.always('everything was released', async (t) => {
  t.is((await engine.close()).leaked, 0)
})

const others: Readonly<Record<string, (path: string) => void>> = {
  'a regular file': (path) => {
    fs.writeFileSync(path, 'precious', { mode: 0o640 })
  },
  'a folder': (path) => {
    fs.mkdirSync(path)
  },
  'a FIFO': (path) => {
    execFileSync('mkfifo', [path])
  },
  'a symbolic link to a regular file': (path) => {
    fs.writeFileSync(`${path}.target`, 'precious')
    fs.symlinkSync(`${path}.target`, path)
  },
}

for (const [what, make] of Object.entries(others)) {
  test.serial(`${what} is not a socket: connect() and listen() leave it as it is`, async (t) => {
    t.timeout(WATCHDOG_MS)
    const path = folder.socketPath()
    make(path)
    const names = await folder.list()
    const look = (): unknown[] => {
      const { ino, mode, size, mtimeMs, ctimeMs } = fs.lstatSync(path)
      return [ino, mode, size, mtimeMs, ctimeMs]
    }
    const before = look()
    const transport = engine.transport(`unix:${path}`)
    for (const attempt of [() => transport.connect(), () => transport.listen()]) {
      const error = await rejects(t, attempt(), 'ERR_NOT_A_SOCKET')
      t.is(error.endpoint, `unix:${path}`)
      t.false(error.retryable)
      t.regex(error.message, /Choose another path|choose another path/)
    }
    t.deepEqual(look(), before)
    t.deepEqual(await folder.list(), names)
  })
}

test.serial('errors on a missing path, a refusing socket and a folder that is a file say what to do', async (t) => {
  t.timeout(WATCHDOG_MS)
  const missing = folder.socketPath()
  const absent = await rejects(t, engine.transport(`unix:${missing}`).connect(), 'ERR_NOT_FOUND')
  t.regex(absent.message, /Start the peer first/)
  t.is((absent.cause as NodeJS.ErrnoException).code, 'ENOENT')
  const stale = folder.socketPath()
  await leaveStaleSocket(stale)
  const refused = await rejects(t, engine.transport(`unix:${stale}`).connect(), 'ERR_REFUSED')
  t.regex(refused.message, /Start the peer/)
  t.is((refused.cause as NodeJS.ErrnoException).code, 'ECONNREFUSED')
  fs.writeFileSync(missing, '')
  const inside = engine.transport(`unix:${join(missing, 'x')}`)
  for (const attempt of [() => inside.connect(), () => inside.listen()]) {
    const error = await rejects(t, attempt(), 'ERR_NOT_FOUND')
    t.is((error.cause as NodeJS.ErrnoException).code, 'ENOTDIR')
  }
})

test.serial('the error on listening in a missing folder says to make the folder, not to start a peer', async (t) => {
  t.timeout(WATCHDOG_MS)
  const inside = engine.transport(`unix:${join(folder.path, 'missing', 'x.sock')}`)
  const { message } = await rejects(t, inside.listen(), 'ERR_NOT_FOUND')
  t.regex(message, /there is no such folder\. Make it first/)
  t.notRegex(message, /peer/)
  t.regex((await rejects(t, inside.connect(), 'ERR_NOT_FOUND')).message, /Start the peer first/)
})

test.serial("without the system's temporary folder no child is started, and the error says why", async (t) => {
  t.timeout(WATCHDOG_MS)
  await withEnvironment({ TMPDIR: join(folder.path, 'missing') }, async () => {
    const transport = engine.transport({ kind: 'stdio', command: '/bin/cat' })
    const { message } = await rejects(t, transport.connect(), 'ERR_NOT_FOUND')
    t.regex(message, /temporary folder is not there\. Make it, or set TMPDIR/)
    t.notRegex(message, /peer/)
  })
})

const onUnix = process.platform === 'win32' ? test.serial.skip : test.serial

onUnix(
  'a temporary folder whose path is too long for a socket is an error for a child; threads are woken another way',
  async (t) => {
    t.timeout(WATCHDOG_MS)
    const limit = process.platform === 'linux' ? 107 : 103
    const longest = limit - '/symphony-XXXXXX/s'.length
    for (const bytes of [longest, longest + 1, limit - 1, limit + 20]) {
      const temporary = join(folder.path, 'd'.repeat(bytes - Buffer.byteLength(folder.path) - 1))
      fs.mkdirSync(temporary)
      const seen = new Set<string | null>()
      const watcher = fs.watch(temporary, (_, name) => seen.add(name))
      try {
        await withEnvironment({ TMPDIR: temporary }, async () => {
          const own = await createEngine({ shards: 1 })
          try {
            const child = own.transport({ kind: 'stdio', command: '/bin/cat' })
            if (bytes > longest) {
              const { message } = await rejects(t, child.connect(), 'ERR_PATH_TOO_LONG')
              t.regex(message, /^starting stdio:.*Set TMPDIR to a shorter one/)
            } else {
              const connection = await child.connect()
              await connection.close()
            }
            const name = own.transport(`memory:${randomName()}`)
            const listener = await name.listen((connection) => {
              connection.subscribe((frame) => connection.send(frame), { borrow: true })
            })
            const connection = await name.connect()
            connection.send('through')
            t.is(String(await connection.receive()), 'through')
            await connection.close()
            await listener.close()
          } finally {
            t.is((await own.close()).leaked, 0)
          }
        })
        t.deepEqual(fs.readdirSync(temporary), [], String(bytes))
        if (bytes > longest) t.deepEqual([...seen], [], String(bytes))
      } finally {
        watcher.close()
      }
    }
  },
)

for (const [what, name, code, advice] of [
  ['is missing', 'missing', 'ERR_NOT_FOUND', /the system's temporary folder is not there\. Make it, or set TMPDIR/],
  [
    'has a path that is too long',
    'd'.repeat(100),
    'ERR_PATH_TOO_LONG',
    /temporary folder .* Set TMPDIR to a shorter one/,
  ],
] as const) {
  onUnix(`a temporary folder that ${what} is an error for listening only where there is no other folder`, async (t) => {
    t.timeout(WATCHDOG_MS)
    const temporary = join(folder.path, name)
    if (name !== 'missing') fs.mkdirSync(temporary)
    const before = await folder.list()
    await withEnvironment({ TMPDIR: temporary }, async () => {
      const own = await createEngine({ shards: 2 })
      try {
        if (process.platform === 'linux') {
          const error = await rejects(t, own.transport(`unix:@${randomName()}`).listen(), code)
          t.regex(error.message, /^giving worker threads unix:@/)
          t.regex(error.message, advice)
        }
        const path = folder.socketPath()
        const listener = await own.transport(`unix:${path}`).listen((connection) => {
          connection.subscribe((frame) => connection.send(frame))
        })
        t.deepEqual((await folder.list()).sort(), [...before, basename(path)].sort())
        const connection = await own.transport(`unix:${path}`).connect()
        connection.send('through')
        t.is(String(await connection.receive()), 'through')
        await connection.close()
        await listener.close()
      } finally {
        t.is((await own.close()).leaked, 0)
      }
    })
    t.deepEqual(await folder.list(), before)
  })
}

async function attempts(t: ExecutionContext, how: 'drop' | 'stay', tasks: readonly string[]): Promise<void> {
  const child = ChildProgram.start('other-user', [how, ...tasks])
  try {
    const { lines, stderr, code } = await child.exit
    t.is(stderr, '')
    t.is(code, 0)
    t.is(lines.at(-1), 'leaked 0')
    t.is(lines.length, tasks.length + 1)
    for (const [i, task] of tasks.entries()) {
      t.regex(lines[i] ?? '', /^ERR_ACCESS false .*permission denied\. Run as the owner/, task)
    }
  } finally {
    child.kill('SIGKILL')
  }
}

const asRoot = isRoot ? test.serial : test.serial.skip
const asAnother = isRoot || process.platform === 'win32' ? test.serial.skip : test.serial

asRoot('modes keep another user out (needs root, to become another user)', async (t) => {
  t.timeout(WATCHDOG_MS)
  fs.chmodSync(folder.path, 0o755)
  const open = folder.socketPath()
  const hidden = join(folder.path, 'private')
  fs.mkdirSync(hidden, { mode: 0o700 })
  const inside = join(hidden, 'x.sock')
  const stale = folder.socketPath()
  await leaveStaleSocket(stale)
  const listeners = await Promise.all(
    [open, inside].map((path) => engine.transport(`unix:${path}`).listen(() => undefined)),
  )
  const names = (await folder.list()).sort()
  try {
    await attempts(t, 'drop', [
      `connect unix:${open}`,
      `connect unix:${inside}`,
      `listen unix:${folder.socketPath()}`,
      `listen unix:${open}`,
      `listen unix:${stale}`,
      `listen unix:${join(hidden, 'y.sock')}`,
    ])
    t.deepEqual((await folder.list()).sort(), names)
    t.deepEqual(fs.readdirSync(hidden), ['x.sock'])
    t.true(listeners.every((listener) => listener.stats().accepted === 0))
  } finally {
    await Promise.all(listeners.map((listener) => listener.close()))
  }
})

asRoot("another user's stale socket in a shared folder is not taken over (needs root)", async (t) => {
  t.timeout(WATCHDOG_MS)
  fs.chmodSync(folder.path, 0o1777)
  const path = folder.socketPath()
  await leaveStaleSocket(path)
  fs.chmodSync(path, 0o777)
  const { ino } = fs.lstatSync(path)
  await attempts(t, 'drop', [`listen unix:${path}`])
  t.is(fs.lstatSync(path).ino, ino)
  t.deepEqual(await folder.list(), [basename(path)])
})

asRoot(
  'after giving up rights a process listens where it may write, even if it may not read (needs root)',
  async (t) => {
    t.timeout(WATCHDOG_MS)
    fs.chmodSync(folder.path, 0o755)
    const unreadable = join(folder.path, 'drop')
    // No room for a mark in a temporary name.
    const deep = join(folder.path, 'd'.repeat(107 - Buffer.byteLength(folder.path) - 20))
    const shared = join(folder.path, 'shared')
    for (const [path, mode] of [
      [unreadable, 0o733],
      [deep, 0o733],
      [shared, 0o1777],
    ] as const) {
      fs.mkdirSync(path)
      fs.chmodSync(path, mode)
    }
    const name = randomName()
    const tasks = [
      `listen unix:${join(unreadable, 'x.sock')}`,
      `listen unix:${join(deep, 'x.sock')}`,
      `listen local:${name}`,
      `connect local:${name}`,
    ]
    const child = ChildProgram.start('other-user', ['drop', ...tasks], {
      env: { XDG_RUNTIME_DIR: undefined, TMPDIR: shared },
    })
    try {
      const { lines, stderr } = await child.exit
      t.is(stderr, '')
      t.deepEqual(lines, [...tasks.map(() => 'nothing stopped it'), 'leaked 0'])
      t.deepEqual(
        [unreadable, deep].map((path) => fs.readdirSync(path)),
        [[], []],
      )
    } finally {
      child.kill('SIGKILL')
    }
  },
)

asAnother('a folder without permissions keeps its owner out (not as root, which no mode stops)', async (t) => {
  t.timeout(WATCHDOG_MS)
  const closed = join(folder.path, 'closed')
  fs.mkdirSync(closed)
  fs.chmodSync(closed, 0)
  try {
    await attempts(t, 'stay', [`connect unix:${join(closed, 'x')}`, `listen unix:${join(closed, 'x')}`])
  } finally {
    fs.chmodSync(closed, 0o700)
  }
})

const fallbackName = `symphony-transport-${String(process.getuid?.() ?? 0)}`

for (const [what, value] of [
  ['unset', undefined],
  ['empty', ''],
  ['relative', 'run/user'],
] as const) {
  test.serial(`with XDG_RUNTIME_DIR ${what} local names lie below the system's temporary folder`, async (t) => {
    t.timeout(WATCHDOG_MS)
    await withEnvironment({ XDG_RUNTIME_DIR: value, TMPDIR: folder.path }, async () => {
      const name = randomName()
      const listener = await engine.transport(`local:${name}`).listen(() => undefined)
      try {
        t.deepEqual(await folder.list(), [fallbackName])
        t.is(fs.lstatSync(join(folder.path, fallbackName)).mode & 0o7777, 0o700)
        t.true(fs.lstatSync(join(folder.path, fallbackName, `${name}.sock`)).isSocket())
        t.false(fs.existsSync('run'))
      } finally {
        await listener.close()
      }
    })
  })
}

const foreignBases: Readonly<Record<string, (path: string) => void>> = {
  'does not exist': () => undefined,
  'is a file': (path) => {
    fs.writeFileSync(path, '')
  },
  ...(isRoot && {
    'belongs to another user': (path: string) => {
      fs.mkdirSync(path, { mode: 0o700 })
      fs.chownSync(path, 65_534, 65_534)
    },
  }),
}

for (const [what, make] of Object.entries(foreignBases)) {
  test.serial(`an XDG_RUNTIME_DIR that ${what} is refused, and nothing is made there`, async (t) => {
    t.timeout(WATCHDOG_MS)
    const base = join(folder.path, 'run')
    make(base)
    await withEnvironment({ XDG_RUNTIME_DIR: base }, async () => {
      const transport = engine.transport(`local:${randomName()}`)
      const error = await rejects(t, transport.listen(), 'ERR_ACCESS')
      t.regex(error.message, /XDG_RUNTIME_DIR is .*Set it to a folder of your own, or unset it/)
      t.true(error.message.includes(base))
      // connect() gets the same error, or one that says that there is no listener yet.
      await rejects(t, transport.connect(), what === 'does not exist' ? 'ERR_NOT_FOUND' : 'ERR_ACCESS')
      t.deepEqual(fs.existsSync(base) && fs.statSync(base).isDirectory() ? fs.readdirSync(base) : [], [])
    })
  })
}

test.serial('a folder for local names that cannot be made is ERR_ACCESS, with advice', async (t) => {
  t.timeout(WATCHDOG_MS)
  const missing = join(folder.path, 'none')
  await withEnvironment({ XDG_RUNTIME_DIR: undefined, TMPDIR: missing }, async () => {
    const transport = engine.transport(`local:${randomName()}`)
    const error = await rejects(t, transport.listen(), 'ERR_ACCESS')
    t.regex(error.message, /Set XDG_RUNTIME_DIR to a writable one/)
    await rejects(t, transport.connect(), 'ERR_NOT_FOUND')
  })
})

const unsafe: Readonly<Record<string, (path: string) => void>> = {
  'open to its group': (path) => {
    fs.mkdirSync(path)
    fs.chmodSync(path, 0o710)
  },
  'open to every user': (path) => {
    fs.mkdirSync(path)
    fs.chmodSync(path, 0o707)
  },
  'a symbolic link to a private folder': (path) => {
    fs.mkdirSync(`${path}.real`, { mode: 0o700 })
    fs.symlinkSync(`${path}.real`, path)
  },
  'a file': (path) => {
    fs.writeFileSync(path, '', { mode: 0o600 })
  },
  ...(isRoot && {
    "another user's": (path: string) => {
      fs.mkdirSync(path, { mode: 0o700 })
      fs.chownSync(path, 65_534, 65_534)
    },
  }),
}

for (const [what, make] of Object.entries(unsafe)) {
  test.serial(`a private folder that is ${what} is refused, wherever it lies`, async (t) => {
    for (const variables of [{ XDG_RUNTIME_DIR: folder.path }, { XDG_RUNTIME_DIR: undefined, TMPDIR: folder.path }]) {
      await withEnvironment(variables, async () => {
        const path = join(folder.path, 'TMPDIR' in variables ? fallbackName : 'symphony-transport')
        make(path)
        const { ino, mode, uid } = fs.lstatSync(path)
        const transport = engine.transport(`local:${randomName()}`)
        for (const attempt of [() => transport.connect(), () => transport.listen()]) {
          const error = await rejects(t, attempt(), 'ERR_ACCESS')
          t.regex(error.message, /Remove it, or chmod 700 it/)
        }
        const after = fs.lstatSync(path)
        t.deepEqual([after.ino, after.mode, after.uid], [ino, mode, uid])
      })
    }
  })
}
