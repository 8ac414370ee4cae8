/**
 * Node's permission model: what it forbids is ERR_ACCESS, which ends a reconnecting connection at once and names the
 * missing flag.
 */
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import { ChildProgram } from '../helpers/child-program.js'
import { makeTemporaryFolder, randomName } from '../helpers/temporary-folder.js'

const WATCHDOG_MS = 30_000
/** The model also restricts the host's reads of its own modules. */
const ALL_READING = ['--allow-fs-read=*']
const OWN_READING = [`--allow-fs-read=${fileURLToPath(new URL('../../../', import.meta.url))}*`]
const flags = process.allowedNodeEnvironmentFlags
const permission = flags.has('--permission') ? '--permission' : '--experimental-permission'
const net = flags.has('--allow-net') ? ['--allow-net'] : []
const hasAbstractNames = process.platform === 'linux'
const abstract = `loop unix:@${randomName()}`
const onUnix = process.platform === 'win32' ? test.serial.skip : test.serial
const whereNetIsAsked = net.length > 0 && process.platform !== 'win32' ? test.serial : test.serial.skip

async function run(
  t: ExecutionContext,
  nodeArgs: readonly string[],
  tasks: readonly (readonly [task: string, answer: RegExp])[],
  reading = ALL_READING,
): Promise<void> {
  t.timeout(WATCHDOG_MS)
  const folder = await makeTemporaryFolder()
  const other = await makeTemporaryFolder()
  const inPlace = (text: string): string => text.replace('TEMPORARY', folder.path).replace('OTHER', other.path)
  const child = ChildProgram.start(
    'denied',
    tasks.map(([task]) => inPlace(task)),
    {
      nodeArgs: [permission, ...reading, ...nodeArgs].map(inPlace),
      env: { TMPDIR: folder.path, XDG_RUNTIME_DIR: folder.path },
    },
  )
  try {
    const { lines, stderr, code } = await child.exit
    t.is(code, 0, stderr)
    t.is(lines.length, tasks.length + 2, lines.join('\n'))
    for (const [i, [task, answer]] of tasks.entries()) t.regex(lines[i] ?? '', answer, task)
    t.deepEqual(lines.slice(-2), ['leaked 0', 'empty'])
    t.notRegex(stderr, /unhandled/i)
    t.deepEqual(await other.list(), [])
    t.deepEqual(
      (await folder.list()).filter((name) => name !== 'symphony-transport'),
      [],
    )
  } finally {
    child.kill('SIGKILL')
    await folder.remove()
    await other.remove()
  }
}

onUnix('without --allow-fs-write listening and starting a child are refused', async (t) => {
  const denied = /^ERR_ACCESS false .*--allow-fs-write, for /
  await run(
    t,
    ['--allow-worker', '--allow-child-process', ...net],
    [
      ['loop unix:TEMPORARY/x.sock', denied],
      ['loop local:x', denied],
      ['child /bin/sh', denied],
      ['reconnecting /bin/cat', denied],
      ['loop memory:x', /^done$/],
      ['connect unix:TEMPORARY/none.sock', /^ERR_NOT_FOUND true /],
    ],
  )
})

onUnix('without --allow-child-process no child is started, and nothing else needs one', async (t) => {
  const denied = /^ERR_ACCESS false .*--allow-child-process\./
  await run(
    t,
    ['--allow-worker', '--allow-fs-write=*', ...net],
    [
      ['loop unix:TEMPORARY/x.sock', /^done$/],
      ['loop local:x', /^done$/],
      [abstract, hasAbstractNames ? /^done$/ : /^ERR_UNSUPPORTED_PLATFORM/],
      ['child /bin/sh', denied],
      ['reconnecting /bin/cat', denied],
      ['loop memory:x', /^done$/],
    ],
  )
})

onUnix('listening on a path needs its folder only, and on a name the temporary folder', async (t) => {
  await run(
    t,
    // To read /proc alone changes nothing.
    ['--allow-worker', '--allow-fs-read=OTHER', '--allow-fs-read=/proc/*', '--allow-fs-write=OTHER', ...net],
    [
      // The folder, and not the name of what would be made in it.
      [abstract, hasAbstractNames ? /^ERR_ACCESS false .*--allow-fs-write, for \S*\/st-\w{6}\.$/ : /^ERR_UNSUPPORTED/],
      ['loop unix:OTHER/x.sock', /^done$/],
    ],
    OWN_READING,
  )
  await run(
    t,
    ['--allow-worker', '--allow-fs-read=TEMPORARY', '--allow-fs-write=TEMPORARY', ...net],
    [[abstract, hasAbstractNames ? /^done$/ : /^ERR_UNSUPPORTED_PLATFORM/]],
    OWN_READING,
  )
})

whereNetIsAsked('without --allow-net there are no sockets', async (t) => {
  const denied = /^ERR_ACCESS false .*--allow-net\./
  await run(
    t,
    ['--allow-worker', '--allow-fs-write=*', '--allow-child-process'],
    [
      ['loop unix:TEMPORARY/x.sock', denied],
      ['connect unix:TEMPORARY/none.sock', denied],
      ['child /bin/sh', denied],
      ['reconnecting /bin/cat', denied],
      ['loop memory:x', /^done$/],
    ],
  )
})

onUnix('with the flags that are documented everything works', async (t) => {
  const done = /^done$/
  await run(
    t,
    ['--allow-worker', '--allow-fs-write=*', '--allow-child-process', ...net],
    [
      ['loop unix:TEMPORARY/x.sock', done],
      ['loop local:x', done],
      ['child /bin/sh', done],
      ['reconnecting /bin/cat', done],
      ['loop memory:x', done],
    ],
  )
})
