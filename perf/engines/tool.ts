/** Other programs that make an engine: `git` and `npm`. None of them outlives this process. */
import { spawn, spawnSync } from 'node:child_process'
import process from 'node:process'

/** Of one that fails; its message is one line. */
export class ToolFailure extends Error {}

const isWindows = process.platform === 'win32'

/** What it prints. @throws {ToolFailure} */
export async function runTool(command: string, args: readonly string[], cwd: string): Promise<string> {
  // npm is a script there, which only a shell runs.
  const child = spawn(command, [...args], {
    cwd,
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: !isWindows,
    shell: isWindows && command === 'npm',
  })
  const end = (): void => {
    // A group of its own: what it has started ends with it.
    if (child.pid === undefined) return
    if (isWindows) child.kill()
    else killGroup(child.pid)
  }
  process.prependOnceListener('exit', end)
  try {
    let [out, said] = ['', '']
    child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text))
    child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text))
    const code = await new Promise<number | null>((resolve, reject) => {
      child.once('error', reject)
      child.once('close', resolve)
    })
    if (code === 0) return out
    throw new ToolFailure(`${command} ${args.join(' ')} failed: ${firstError(`${out}\n${said}`)}`)
  } finally {
    process.removeListener('exit', end)
  }
}

/** For the end of the process, which waits for nothing. */
export function runToolNow(command: string, args: readonly string[], cwd: string): void {
  spawnSync(command, [...args], { cwd, stdio: 'ignore' })
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // It is gone.
  }
}

function firstError(said: string): string {
  // npm begins with a code, and says what it means in the next line.
  const lines = said
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => !/^npm err(?:or|!) code/i.test(line))
  return lines.find((line) => /error|fatal/i.test(line)) ?? lines.find((line) => line !== '') ?? 'it says nothing'
}
