/**
 * Builds `dist/`: JavaScript and types, once as ES modules and once as CommonJS, with the compiler alone. JavaScript
 * itself, so that it runs on any Node from 20 on (`npm pack` calls it with whichever there is).
 */
import { execFileSync } from 'node:child_process'
import { rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const folder = dirname(fileURLToPath(import.meta.url))
const manifest = createRequire(import.meta.url).resolve('typescript/package.json')
const compiler = join(dirname(manifest), 'bin/tsc')

const FORMATS = [
  { name: 'esm', type: 'module', options: [] },
  {
    name: 'cjs',
    type: 'commonjs',
    options: ['--module', 'commonjs', '--moduleResolution', 'bundler', '--verbatimModuleSyntax', 'false'],
  },
]

rmSync(join(folder, 'dist'), { recursive: true, force: true })
for (const { name, type, options } of FORMATS) {
  const target = join(folder, 'dist', name)
  execFileSync(process.execPath, [compiler, '-p', 'tsconfig.build.json', '--outDir', target, ...options], {
    cwd: folder,
    stdio: 'inherit',
  })
  // Tells Node and TypeScript what the .js files in this folder are.
  writeFileSync(join(target, 'package.json'), `${JSON.stringify({ type })}\n`)
}
