/** The source files of the package, and what each imports. */
import fs from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'

export const root = fileURLToPath(new URL('../../..', import.meta.url))

export const roots = ['api', 'engine', 'workers']

export interface Source {
  /** From the repository's root. */
  readonly path: string
  readonly tree: ts.SourceFile
  /** Names as they are written. */
  readonly imports: readonly string[]
  /** Our own files among them, from the repository's root. */
  readonly ours: readonly string[]
  /** Packages among them; Node's own modules are not looked at. */
  readonly packages: readonly string[]
}

/** The file that a relative import leads to, from the repository's root. */
export function targetOf(path: string, name: string): string {
  return relative(root, resolve(root, dirname(path), name)).replace(/\.js$/, '.ts')
}

function read(path: string): Source {
  const text = fs.readFileSync(join(root, path), 'utf8')
  const imports = ts.preProcessFile(text, true, true).importedFiles.map(({ fileName }) => fileName)
  const ours = imports.filter((name) => name.startsWith('.')).map((name) => targetOf(path, name))
  const packages = imports.filter((name) => !name.startsWith('.') && !name.startsWith('node:'))
  return {
    path,
    packages,
    imports,
    ours,
    tree: ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true),
  }
}

/** All files of some folders. */
export const sourcesIn = (folders: readonly string[]): readonly Source[] =>
  folders.flatMap((folder) =>
    fs
      .readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts'))
      .map((name) => read(join(folder, name))),
  )

export const sources = sourcesIn(roots)

/** Whether a path is this folder or file, or lies in it. */
export function liesIn(path: string, folder: string): boolean {
  return path === folder || path.startsWith(`${folder}/`)
}
