/**
 * A commit of this repository, built in a temporary worktree. What is built stays in a folder that git ignores, by the
 * commit's name, so that it is built once.
 */
import fs from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { Unfit } from '../../api/cli/options/reader.js'
import { ENTRY } from './engine-source.js'
import { runTool, runToolNow, ToolFailure } from './tool.js'

const CACHE = '.engines'
/** What a package consists of that a program can load. */
const PARTS = [join('dist', 'api'), join('dist', 'engine'), join('dist', 'workers'), 'package.json']
const LOCK = 'package-lock.json'

export interface BuiltCommit {
  /** The package's folder. */
  readonly path: string
  /** The short name and the subject. */
  readonly title: string
}

/** `folder`: an empty one for the worktree, which goes with the run. @throws {Unfit} in one line */
export async function buildCommit(
  root: string,
  name: string,
  folder: string,
  say: (line: string) => void,
): Promise<BuiltCommit> {
  const sha = await shaOf(root, name)
  const title = (await runTool('git', ['log', '-1', '--format=%h %s', sha], root)).trim()
  const sharesPackages = (await lockOf(root, sha)) === fs.readFileSync(join(root, LOCK), 'utf8')
  // Without packages of its own it finds those of this tree, which lies around it.
  const path = join(root, CACHE, sharesPackages ? sha : `${sha}-with-packages`)
  if (fs.existsSync(join(path, ENTRY))) return { path, title }
  say(`building ${title}${sharesPackages ? '' : ', with packages of its own'}`)
  const worktree = join(folder, 'worktree')
  const remove = (): void => {
    runToolNow('git', ['worktree', 'remove', '--force', worktree], root)
  }
  // Before the run's folder goes, and it with it.
  process.prependOnceListener('exit', remove)
  try {
    await runTool('git', ['worktree', 'add', '--detach', worktree, sha], root)
    if (sharesPackages) fs.symlinkSync(join(root, 'node_modules'), join(worktree, 'node_modules'), 'junction')
    else await runTool('npm', ['ci', '--no-audit', '--no-fund', '--prefer-offline'], worktree)
    await runTool('npm', ['run', '--silent', 'build'], worktree)
    if (!sharesPackages) await runTool('npm', ['prune', '--omit=dev', '--no-audit', '--no-fund'], worktree)
    keep(worktree, path, sharesPackages ? PARTS : [...PARTS, 'node_modules'])
  } catch (error) {
    if (error instanceof ToolFailure) throw new Unfit(`${name} cannot be built: ${error.message}`)
    throw error
  } finally {
    process.removeListener('exit', remove)
    remove()
  }
  return { path, title }
}

async function shaOf(root: string, name: string): Promise<string> {
  try {
    return (await runTool('git', ['rev-parse', '--verify', '--quiet', `${name}^{commit}`], root)).trim()
  } catch {
    throw new Unfit(`there is no commit ${name} here; a folder is named like ./${name}`)
  }
}

/** Undefined: it has none. */
async function lockOf(root: string, sha: string): Promise<string | undefined> {
  try {
    return await runTool('git', ['show', `${sha}:${LOCK}`], root)
  } catch {
    return undefined
  }
}

/** All of it or nothing: who finds the folder finds it whole. */
function keep(worktree: string, path: string, parts: readonly string[]): void {
  const half = `${path}.${String(process.pid)}`
  const remove = (): void => {
    fs.rmSync(half, { recursive: true, force: true })
  }
  process.once('exit', remove)
  try {
    for (const part of parts) {
      fs.cpSync(join(worktree, part), join(half, part), { recursive: true, verbatimSymlinks: true })
    }
    fs.renameSync(half, path)
  } catch (error) {
    // Another run may have built the same.
    if (!fs.existsSync(path)) throw error
  } finally {
    process.removeListener('exit', remove)
    remove()
  }
}
