/** What doctor makes of places where something is missing. */
import test from 'ava'
import type { Facts, RuntimeFolder, Trial, Trials } from '../../api/cli/doctor/facts.js'
import { findings, type Finding } from '../../api/cli/doctor/findings.js'

const works = { works: true } as const
const fails = (reason: string): Trial & { works: false } => ({ works: false, reason })

const folder: RuntimeFolder = {
  path: '/run/user/1000/symphony-transport',
  variable: '/run/user/1000',
  isUsed: true,
  stat: { isOwn: true, mode: 0o700 },
  nameBytes: 73,
}

const trials: Trials = {
  net: works,
  engine: works,
  listening: works,
  local: works,
  abstract: works,
  shared: { works: true, provider: 'koffi' },
}

/** Linux, as it should be. */
const well: Facts = {
  runtime: { name: 'Node', version: '22.11.0' },
  node: '22.11.0',
  system: 'linux',
  arch: 'x64',
  hasSharedArrayBuffer: true,
  processors: 8,
  defaultShards: 4,
  descriptors: { soft: 1_048_576, hard: 1_048_576 },
  runtimeFolder: folder,
  permissions: undefined,
  activation: undefined,
  hasShell: true,
  trials,
}

const tried = (changed: Partial<Trials>): Partial<Facts> => ({ trials: { ...trials, ...changed } })
const withoutEngine = { listening: undefined, local: undefined, abstract: undefined, shared: undefined }
const windows: Partial<Facts> = {
  system: 'win32',
  runtimeFolder: undefined,
  descriptors: undefined,
  trials: { ...trials, abstract: undefined, shared: undefined },
}

/** What is not ok, in order. */
function notOk(changed: Partial<Facts>): readonly Finding[] {
  return findings({ ...well, ...changed }).filter(({ state }) => state !== 'ok')
}

test('where all is well, each line says so, and none has advice', (t) => {
  const found = findings(well)
  t.true(found.length >= 12)
  t.deepEqual(notOk({}), [])
  for (const { what, advice } of found) t.is(advice, undefined, what)
})

const cases: readonly (readonly [
  place: string,
  changed: Partial<Facts>,
  expected: readonly (readonly [state: Finding['state'], what: string, text: RegExp])[],
])[] = [
  [
    'Node 20.18',
    { node: '20.18.3', runtime: { name: 'Node', version: '20.18.3' } },
    [['missing', 'Node', /20\.18\.3 is too old.*Use Node 20\.19 or later/]],
  ],
  [
    'Node 23',
    { node: '23.1.0', runtime: { name: 'Node', version: '23.1.0' } },
    [['warning', 'Node', /23\.1\.0 is of a line that is not tested.*20, 22, 24, 26/]],
  ],
  [
    'Bun without what engines need',
    {
      runtime: { name: 'Bun', version: '1.3.0' },
      ...tried({ engine: fails('ERR_UNSUPPORTED_RUNTIME: Bun'), ...withoutEngine }),
    },
    [['missing', 'worker threads', /ERR_UNSUPPORTED_RUNTIME.*Run the program on Node: Bun lacks/]],
  ],
  [
    'a runtime that passes no descriptors between threads',
    { runtime: { name: 'Deno', version: '2.0.0' }, ...tried({ listening: fails('nothing came of it') }) },
    [['missing', 'descriptors', /nothing came of it.*can connect, and not listen/]],
  ],
  [
    'Deno, where one thread listens',
    { runtime: { name: 'Deno', version: '2.9.0' } },
    [['warning', 'descriptors', /do not pass between threads: one of them.*use Node/]],
  ],
  [
    'macOS',
    { system: 'darwin', ...tried({ abstract: undefined }) },
    [
      ['warning', 'system', /darwin on x64 is not tested/],
      ['warning', 'abstract names', /only Linux has them.*local:NAME/],
    ],
  ],
  [
    'Windows',
    windows,
    [
      ['warning', 'abstract names', /only Linux/],
      ['warning', 'shared memory', /not share it on Windows|cannot share it on Windows.*local:NAME/],
    ],
  ],
  [
    'Windows without pipes',
    {
      ...windows,
      trials: { ...trials, net: fails('EACCES'), listening: fails('ERR_ACCESS'), local: fails('ERR_ACCESS') },
    },
    [
      ['missing', 'named pipes', /EACCES.*policy/],
      ['missing', 'listening', /ERR_ACCESS.*Mend named pipes first/],
      ['warning', 'abstract names', /only Linux/],
      ['warning', 'shared memory', /Windows/],
    ],
  ],
  [
    'no SharedArrayBuffer',
    { hasSharedArrayBuffer: false },
    [['missing', 'SharedArrayBuffer', /not there.*flag or policy/]],
  ],
  [
    'no threads',
    tried({ engine: fails('ERR_SHARD_BOOT: no memory'), ...withoutEngine }),
    [['missing', 'worker threads', /no memory.*limits of memory or of threads/]],
  ],
  [
    'a sandbox without sockets',
    tried({ net: fails('listen EPERM'), listening: fails('ERR_ACCESS'), local: fails('x'), abstract: fails('x') }),
    [
      ['missing', 'Unix sockets', /EPERM.*TMPDIR.*sandbox/],
      ['missing', 'descriptors', /ERR_ACCESS.*Mend Unix sockets first/],
    ],
  ],
  [
    'the permission model',
    {
      permissions: [
        { name: 'worker', flag: '--allow-worker', isGranted: false },
        { name: 'child', flag: '--allow-child-process', isGranted: false },
      ],
      ...tried({ engine: fails("Node's permission model forbids it. Start with --allow-worker."), ...withoutEngine }),
    },
    [
      // What came of it says what to do.
      ['missing', 'worker threads', /--allow-worker\.$/],
      ['warning', 'child processes', /forbids them.*--allow-child-process/],
      ['warning', 'permissions', /forbids: worker, child.*--allow-worker --allow-child-process/],
    ],
  ],
  [
    "another user's runtime folder",
    { runtimeFolder: { ...folder, stat: { isOwn: false, mode: 0o755 } }, ...tried({ local: fails('ERR_ACCESS') }) },
    [['missing', 'local: names', /ERR_ACCESS.*chmod 700 it, after checking/]],
  ],
  [
    'a runtime folder that cannot be made',
    { runtimeFolder: { ...folder, stat: undefined }, ...tried({ local: fails('cannot make the folder') }) },
    [['missing', 'local: names', /cannot make the folder.*Set XDG_RUNTIME_DIR to a folder of your own/]],
  ],
  [
    'no XDG_RUNTIME_DIR',
    { runtimeFolder: { ...folder, path: '/tmp/s', isUsed: false, variable: undefined } },
    [['warning', 'local: names', /\/tmp\/s, which cleaners may empty: XDG_RUNTIME_DIR is not set/]],
  ],
  [
    'a relative XDG_RUNTIME_DIR',
    { runtimeFolder: { ...folder, isUsed: false, variable: 'run' } },
    [['warning', 'local: names', /is no absolute path/]],
  ],
  [
    'a long XDG_RUNTIME_DIR',
    { runtimeFolder: { ...folder, nameBytes: 9 } },
    [['warning', 'local: names', /up to 9 bytes.*short path/]],
  ],
  ['no abstract names', tried({ abstract: fails('EPERM') }), [['warning', 'abstract names', /EPERM.*unix:PATH/]]],
  [
    'no koffi',
    tried({ shared: fails('koffi is not there: install it') }),
    [['warning', 'shared memory', /koffi is not there: install it.*over its socket/]],
  ],
  ['no shell', { hasShell: false }, [['warning', 'child processes', /\/bin\/sh is not there.*guard: false/]]],
  [
    'few open files',
    { descriptors: { soft: 1_024, hard: 4_096 } },
    [['warning', 'open files', /at most 1024: some 724 connections.*ulimit -n, up to 4096/]],
  ],
  [
    'few open files and no more to be had',
    { descriptors: { soft: 256, hard: 256 } },
    [['warning', 'open files', /some 0 connections.*hard limit raised/]],
  ],
  ['one processor', { processors: 1, defaultShards: 1 }, [['warning', 'processors', /1 shard by default.*take turns/]]],
  [
    'sockets for another process',
    { activation: { count: 2, isForUs: false } },
    [['warning', 'activation', /2 sockets, and LISTEN_PID names another.*Start the program itself/]],
  ],
]

for (const [place, changed, expected] of cases) {
  test(`explained: ${place}`, (t) => {
    const found = notOk(changed)
    t.deepEqual(
      found.map(({ state, what }) => [state, what]),
      expected.map(([state, what]) => [state, what]),
    )
    for (const [i, [, , text]] of expected.entries()) {
      const { found: shown = '', advice = '' } = found[i] ?? {}
      t.regex(`${shown} ${advice}`.trim(), text)
    }
  })
}

test('sockets that systemd has passed, and limits that are not there, are fine', (t) => {
  t.deepEqual(notOk({ activation: { count: 1, isForUs: true } }), [])
  t.deepEqual(notOk({ descriptors: { soft: Infinity, hard: Infinity } }), [])
  t.deepEqual(notOk({ descriptors: undefined }), [])
  t.deepEqual(notOk({ permissions: [{ name: 'net', flag: '--allow-net', isGranted: true }] }), [])
})
