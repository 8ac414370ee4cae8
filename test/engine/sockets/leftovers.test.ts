/**
 * What killed processes have left beside sockets: the next listen() there removes it, and nothing else.
 */
import fs from 'node:fs'
import net from 'node:net'
import { basename, dirname, join } from 'node:path'
import process from 'node:process'
import test from 'ava'
import { creatorStatus, creatorMark } from '../../../engine/sockets/creator.js'
import { openOneShotListener } from '../../../engine/sockets/one-shot-listener.js'
import { ChildProgram } from '../../helpers/child-program.js'
import { withEnvironment } from '../../helpers/environment.js'
import { markOfDead } from '../../helpers/creator-marks.js'
import { FileListener, isLive, leaveStaleSocket } from '../../helpers/stale-socket.js'
import { makeTemporaryFolder, type TemporaryFolder } from '../../helpers/temporary-folder.js'
import { until } from '../../helpers/turns.js'
import { failOnWarnings } from '../../helpers/warnings.js'

const WATCHDOG_MS = 20_000
const NOBODY = 65_534
/** Other systems do not show when a process was started. */
const onLinux = process.platform === 'linux' ? test.serial : test.serial.skip
const asRoot = process.getuid?.() === 0 ? onLinux : test.serial.skip

let folder: TemporaryFolder

failOnWarnings()

test.serial.beforeEach('a new folder', async () => {
  folder = await makeTemporaryFolder()
})

test.serial.afterEach.always('the folder is removed', async () => {
  await folder.remove()
})

async function killedAt(path: string, where: string, env: Record<string, string> = {}): Promise<void> {
  const child = ChildProgram.start('stopped-listener', [path, where], { env })
  try {
    await child.line('stopped')
  } finally {
    child.kill('SIGKILL')
    await child.exit
  }
}

/** Listens there, and has closed when it resolves. */
async function listenOnce(path: string): Promise<string[]> {
  const listener = await FileListener.prepare(path)
  try {
    await listener.publish()
    return await folder.list()
  } finally {
    await listener.close()
  }
}

for (const where of ['before the name is taken', 'while a stale socket is being moved']) {
  onLinux(`the next listen() removes the leftovers of a process that was killed ${where}`, async (t) => {
    t.timeout(WATCHDOG_MS)
    const path = folder.socketPath()
    await leaveStaleSocket(path)
    await killedAt(path, where)
    const left = (await folder.list()).filter((name) => name !== basename(path))
    t.true(left.length > 0)
    t.true(
      left.every((name) => name.startsWith('.s-')),
      left.join(),
    )
    // Of another socket in the same folder, too.
    const other = folder.socketPath()
    t.deepEqual(
      (await listenOnce(other)).sort(),
      [basename(other), ...(fs.existsSync(path) ? [basename(path)] : [])].sort(),
    )
    t.deepEqual(await listenOnce(path), [basename(path)])
    t.deepEqual(await folder.list(), [])
  })
}

for (const [where, what] of [
  ['meeting', 'it waited for a thread'],
  ['segment', 'a peer was to open its memory'],
] as const)
  onLinux(`the next process removes the leftovers of one that was killed while ${what}`, async (t) => {
    t.timeout(WATCHDOG_MS)
    await withEnvironment({ TMPDIR: folder.path }, async () => {
      await killedAt('', where)
      const left = await folder.list()
      t.is(left.length, 1)
      t.is(fs.readdirSync(join(folder.path, left[0] ?? '')).join(), where === 'segment' ? 'segment' : 's')
      const meeting = openOneShotListener(
        () => undefined,
        () => undefined,
      )
      const ours = basename(dirname(meeting.path))
      await until(() => fs.readdirSync(folder.path).join() === ours)
      meeting.close()
      t.deepEqual(await folder.list(), [])
    })
  })

/** What looks like a leftover but is not one. `dead` is the mark of a process that has ended. */
const others: Readonly<Record<string, (dead: string) => Promise<unknown>>> = {
  'of a process that lives': () => fs.promises.mkdir(join(folder.path, `.s-${creatorMark()}`), { mode: 0o700 }),
  'without a mark': () => fs.promises.mkdir(join(folder.path, '.s-AbCdEf'), { mode: 0o700 }),
  'of another place': (dead) => {
    const [pid = '', start = '', , random = ''] = dead.split('-')
    return fs.promises.mkdir(join(folder.path, ['.s', pid, start, 'zzzzzz', random].join('-')), {
      mode: 0o700,
    })
  },
  'that others can enter': async (dead) => {
    fs.mkdirSync(join(folder.path, `.s-${dead}`))
    await fs.promises.chmod(join(folder.path, `.s-${dead}`), 0o755)
  },
  'with a file in it': (dead) => {
    fs.mkdirSync(join(folder.path, `.s-${dead}`), { mode: 0o700 })
    return fs.promises.writeFile(join(folder.path, `.s-${dead}`, 's'), 'precious')
  },
  'with a file in the place of memory, that others can read': (dead) => {
    fs.mkdirSync(join(folder.path, `.s-${dead}`), { mode: 0o700 })
    return fs.promises.writeFile(join(folder.path, `.s-${dead}`, 'segment'), 'precious', { mode: 0o644 })
  },
  'with something else in it': (dead) => {
    fs.mkdirSync(join(folder.path, `.s-${dead}`), { mode: 0o700 })
    return leaveStaleSocket(join(folder.path, `.s-${dead}`, 'other'))
  },
  'that is a symbolic link': (dead) => {
    fs.mkdirSync(join(folder.path, 'real'), { mode: 0o700 })
    return fs.promises.symlink('real', join(folder.path, `.s-${dead}`))
  },
  'that is a file': (dead) => fs.promises.writeFile(join(folder.path, `.s-${dead}`), 'precious'),
}

for (const [what, make] of Object.entries(others)) {
  onLinux(`a folder ${what} is not a leftover, and stays`, async (t) => {
    t.timeout(WATCHDOG_MS)
    await make(await markOfDead())
    const before = fs.readdirSync(folder.path, { recursive: true }).map(String).sort()
    await listenOnce(folder.socketPath())
    t.deepEqual(fs.readdirSync(folder.path, { recursive: true }).map(String).sort(), before)
  })
}

asRoot("another user's folder is not a leftover, and stays (needs root)", async (t) => {
  t.timeout(WATCHDOG_MS)
  const name = `.s-${await markOfDead()}`
  fs.mkdirSync(join(folder.path, name), { mode: 0o700 })
  fs.chownSync(join(folder.path, name), NOBODY, NOBODY)
  await listenOnce(folder.socketPath())
  t.deepEqual(await folder.list(), [name])
})

onLinux('a socket on which a process listens again is not removed with the leftovers', async (t) => {
  t.timeout(WATCHDOG_MS)
  // It was moved away as a stale socket, and the process that moved it was killed before it noticed the mistake.
  const left = join(folder.path, `.s-${await markOfDead()}`)
  fs.mkdirSync(left, { mode: 0o700 })
  const server = net.createServer((socket) => socket.destroy())
  await new Promise<void>((resolve) => server.listen(join(left, 'stale'), resolve))
  try {
    await listenOnce(folder.socketPath())
    t.true(await isLive(join(left, 'stale')))
  } finally {
    server.close()
  }
})

test.serial('a mark shows that its creator is alive as long as it is; other names show nothing', async (t) => {
  t.timeout(WATCHDOG_MS)
  const mark = creatorMark()
  t.is(creatorStatus(mark), 'alive')
  t.not(creatorMark(), mark)
  for (const wrong of ['', 'x', '1-2-3', `${mark}-1`, mark.toUpperCase()]) t.is(creatorStatus(wrong), 'unknown', wrong)
  const [, start = '', place = '', random = ''] = mark.split('-')
  for (const pid of ['0', 'zzzzzzzzzzzzz']) t.is(creatorStatus([pid, start, place, random].join('-')), 'unknown', pid)
  if (process.platform === 'win32') return
  t.is(creatorStatus(await markOfDead()), 'dead')
})

onLinux('a process number that was reused does not count as the former process', (t) => {
  const [pid = '', , place = '', random = ''] = creatorMark().split('-')
  t.is(creatorStatus([pid, '1', place, random].join('-')), 'dead')
})
