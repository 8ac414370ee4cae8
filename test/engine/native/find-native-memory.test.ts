import { isBuiltin } from 'node:module'
import process from 'node:process'
import test from 'ava'
import { findIn, findNativeMemory, thisHost, type MemoryHost } from '../../../engine/native/find-native-memory.js'
import { ChildProgram } from '../../helpers/child-program.js'
import { memoryOf } from '../../helpers/native-memories.js'
import { failOnWarnings } from '../../helpers/warnings.js'

const WATCHDOG_MS = 30_000
const isLinux = process.platform === 'linux' ? test : test.skip
const flags = process.allowedNodeEnvironmentFlags
const permission = flags.has('--permission') ? '--permission' : '--experimental-permission'
const restricted = [permission, '--allow-fs-read=*']
const withoutAddons = isBuiltin('node:ffi') ? /^node:ffi$/ : /without --no-addons$/

failOnWarnings()

function failing(message: string, code?: string): () => never {
  return () => {
    throw Object.assign(new Error(message), { code })
  }
}

const absent = failing("Cannot find module 'koffi'\nRequire stack:\n- x.js", 'MODULE_NOT_FOUND')
const nothing = { koffi: absent, nodeFfi: () => undefined }

/** The reason, on a host that has what it needs but for this. */
function reasonOn(host: Partial<MemoryHost>): string | undefined {
  const known = { system: 'linux', arch: 'x64', isElectron: false, mayAddons: true }
  return findIn({ ...thisHost(), ...known, ...nothing, ...host }).reason
}

isLinux('koffi makes the calls where it is installed, and is looked for once', async (t) => {
  const { memory } = await findNativeMemory()
  t.is(memory?.provider, 'koffi')
  t.true(memory?.hasMemfd)
  t.is((await findNativeMemory()).memory, memory)
})

isLinux('node:ffi makes them where Node has it and koffi is missing, without a warning', (t) => {
  t.is(memoryOf('node:ffi')?.provider, isBuiltin('node:ffi') ? 'node:ffi' : undefined)
})

test('without a provider, the reason says what to do', (t) => {
  t.regex(reasonOn({}) ?? '', /^koffi is not there: install it \(npm install koffi\)/)
  t.regex(reasonOn({ mayAddons: false, koffi: failing('x', 'ERR_DLOPEN_DISABLED') }) ?? '', /with --allow-addons$/)
  t.regex(reasonOn({ koffi: failing('x', 'ERR_DLOPEN_DISABLED') }) ?? '', /without --no-addons$/)
  t.is(reasonOn({ koffi: failing('No binary\nfor it') }), 'koffi does not work here: No binary')
  const missing = failing("Cannot find module '@koromix/koffi-linux-x64'", 'MODULE_NOT_FOUND')
  t.regex(reasonOn({ koffi: missing }) ?? '', /^koffi does not work here: Cannot find module '@koromix/)
  t.regex(reasonOn({ nodeFfi: failing('no symbol') }) ?? '', /^koffi is not there.*; node:ffi does not .*: no symbol$/)
})

test('where such memory is forbidden or unknown, no provider is asked', (t) => {
  const never = { koffi: failing('asked'), nodeFfi: failing('asked') }
  t.regex(reasonOn({ ...never, isElectron: true }) ?? '', /Electron/)
  t.regex(reasonOn({ ...never, system: 'win32' }) ?? '', /this is win32 on x64$/)
  t.regex(reasonOn({ ...never, arch: 'ia32' }) ?? '', /this is linux on ia32$/)
})

isLinux('memory that the runtime does not let us see is none', (t) => {
  const { koffi } = thisHost()
  const view = failing('External buffers are not allowed')
  t.is(
    reasonOn({ koffi: (platform) => ({ ...koffi(platform), view }) }),
    'koffi does not work here: External buffers are not allowed',
  )
})

for (const [title, nodeArgs, expected] of [
  ['the permission model forbids koffi, and the reason says so', [...restricted], /--allow-addons$/],
  ['the permission model may allow koffi', [...restricted, '--allow-addons'], /^koffi$/],
  ['addons may be disabled, and the reason says so unless there is node:ffi', ['--no-addons'], withoutAddons],
] as const) {
  isLinux(title, async (t) => {
    t.timeout(WATCHDOG_MS)
    const child = ChildProgram.start('found-native-memory', [], { nodeArgs: ['--no-warnings', ...nodeArgs] })
    const { code, lines, stderr } = await child.exit
    t.deepEqual([code, stderr], [0, ''])
    t.regex(lines.join('\n'), expected)
  })
}

isLinux('a process that has looked for native memory ends by itself, and nothing is on its stderr', async (t) => {
  t.timeout(WATCHDOG_MS)
  const { code, lines, stderr } = await ChildProgram.start('found-native-memory').exit
  t.deepEqual([code, lines, stderr], [0, ['koffi'], ''])
})
