/** A project with the package in it, as a host has it: packed from what is built, and installed. */
import { execFile } from 'node:child_process'
import fs from 'node:fs/promises'
import { dirname, join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { makeTemporaryFolder } from '../helpers/temporary-folder.js'

/** The repository. */
export const root = fileURLToPath(new URL('../../..', import.meta.url))

export interface Ended {
  /** 0, another exit code, or the signal that ended it. */
  readonly end: number | string
  readonly stdout: string
  readonly stderr: string
}

/** Runs a program to its end. One that does not end is killed, which its `end` tells. */
export function runToEnd(command: string, args: readonly string[], cwd: string, watchdogMs: number): Promise<Ended> {
  // Nothing of the test runner's: undefined means that the child does not have it.
  const env = { ...process.env, NODE_OPTIONS: undefined, FORCE_COLOR: undefined, NO_COLOR: undefined }
  return new Promise((resolve) => {
    const options = { cwd, env, timeout: watchdogMs, killSignal: 'SIGKILL', maxBuffer: 2 ** 26 } as const
    execFile(command, args, options, (error, stdout, stderr) => {
      resolve({ end: error === null ? 0 : (error.code ?? error.signal ?? error.message), stdout, stderr })
    })
  })
}

export interface Project {
  /** The project, whose path has spaces in it. */
  readonly path: string
  /** What the package consists of. */
  readonly files: readonly string[]
  /** Writes a file of the project and says where it is. */
  write(name: string, text: string): Promise<string>
  /** A folder that is not inside the project, so that nothing of it can be found from there. */
  outside(name: string): string
  /** Installs the package into a project of its own that has no optional dependency, and says where that is. */
  installWithoutOptional(name: string): Promise<string>
  /** A path for a socket. */
  socketPath(): string
  remove(): Promise<void>
}

interface PackReport {
  readonly filename: string
  readonly files: readonly { readonly path: string }[]
}

export interface Packed {
  readonly tarball: string
  /** What the package consists of. */
  readonly files: readonly string[]
}

async function npm(cwd: string, watchdogMs: number, args: readonly string[]): Promise<string> {
  const { end, stdout, stderr } = await runToEnd('npm', args, cwd, watchdogMs)
  if (end !== 0) throw new Error(`npm ${args.join(' ')} ended with ${String(end)}\n${stdout}${stderr}`)
  return stdout
}

/** Into a folder that is there. */
export async function packPackage(folder: string, watchdogMs: number): Promise<Packed> {
  // Without scripts: what is packed is what was built, and a build would take dist away from under the tests.
  const args = ['pack', '--ignore-scripts', '--json', '--pack-destination', folder]
  const packed = await npm(root, watchdogMs, args)
  // One report for each package; as a list or by name, depending on npm.
  const [report] = Object.values(JSON.parse(packed) as Record<string, PackReport>)
  if (report === undefined) throw new Error(`npm pack reported nothing: ${packed}`)
  return { tarball: join(folder, report.filename), files: report.files.map((file) => file.path) }
}

export async function installPackage(watchdogMs: number): Promise<Project> {
  const folder = await makeTemporaryFolder()
  try {
    const { tarball, files } = await packPackage(folder.path, watchdogMs)
    const path = join(folder.path, 'a project with spaces')
    const write = async (name: string, text: string): Promise<string> => {
      const file = join(path, name)
      await fs.mkdir(dirname(file), { recursive: true })
      await fs.writeFile(file, text)
      return file
    }
    await write('package.json', '{ "private": true }\n')
    const flags = ['--no-audit', '--no-fund', '--ignore-scripts', '--prefer-offline']
    await npm(path, watchdogMs, ['install', ...flags, tarball])
    return {
      path,
      files,
      write,
      outside: (name) => join(folder.path, name),
      installWithoutOptional: async (name) => {
        const other = join(folder.path, name)
        await fs.mkdir(other)
        await fs.writeFile(join(other, 'package.json'), '{ "private": true }\n')
        await npm(other, watchdogMs, ['install', ...flags, '--omit=optional', tarball])
        return other
      },
      socketPath: () => folder.socketPath(),
      remove: () => folder.remove(),
    }
  } catch (error) {
    await folder.remove()
    throw error
  }
}
