/** `/docs`: the API as a page, rendered from the OpenAPI document. Every route with who may call it and an example. */
import type { FastifyInstance } from 'fastify'
import { curlOf } from './docs-example.ts'
import type { OpenApiDocument } from './openapi.ts'
import { html, mountPage, prose } from './page.ts'
import type { Markup, Page } from './page.ts'
import { membersOf, typeOf } from './schema-words.ts'
import type { Schema } from './schema-words.ts'

export interface Operation {
  readonly method: string
  readonly path: string
  readonly summary?: string
  readonly description?: string
  readonly tags?: readonly string[]
  readonly operationId: string
  readonly security: readonly object[]
  readonly 'x-postern-scope'?: string
  readonly parameters?: readonly Parameter[]
  readonly requestBody?: { readonly required?: boolean; readonly content: Content }
  readonly responses: Readonly<Record<string, { readonly description: string; readonly content?: Content }>>
}

export interface Parameter {
  readonly name: string
  readonly in: string
  readonly required?: boolean
  readonly description?: string
  readonly schema: Schema
}

type Content = Readonly<Record<string, { readonly schema: Schema }>>

export function mountDocsPage(server: FastifyInstance, document: () => Promise<OpenApiDocument>): void {
  mountPage(server, '/docs', async () => docsPage(await document()))
}

function docsPage(document: OpenApiDocument): Page {
  const issuer = (document['servers'] as readonly { url: string }[])[0]?.url ?? ''
  const groups = Map.groupBy(operationsOf(document), (operation) => operation.tags?.[0] ?? 'other')
  const sections = [...groups].map(
    ([tag, operations]) =>
      html` <section>
        <h2 id="${tag}">${titleOf(tag)}</h2>
        ${operations.map((operation) => route(operation, issuer))}
      </section>`,
  )
  return {
    title: 'API – Postern',
    body: html` <h1>API</h1>
      <p class="lead">
        Send an operator key as <code>Authorization: Bearer …</code> or <code>X-API-Key</code>. Bodies are
        JSON; members that a route does not know are refused by name. Lists come in pages: pass
        <code>next_cursor</code> on as <code>cursor</code>. Errors are
        <a href="/docs/errors">problems with a stable code</a>.
      </p>
      <nav aria-label="Routes">
        ${[...groups].map(
          ([tag, operations]) =>
            html` <h4>${titleOf(tag)}</h4>
              <ul class="index">
                ${operations.map(
                  (one) =>
                    html` <li>
                      <a href="#${one.operationId}"><code>${one.method} ${one.path}</code></a>
                    </li>`,
                )}
              </ul>`,
        )}
      </nav>
      ${sections}`,
  }
}

function operationsOf(document: OpenApiDocument): Operation[] {
  const paths = document['paths'] as Record<string, Record<string, Omit<Operation, 'method' | 'path'>>>
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      ...operation,
      method: method.toUpperCase(),
      path,
    })),
  )
}

function titleOf(tag: string): string {
  return tag.charAt(0).toUpperCase() + tag.slice(1).replaceAll('-', ' ')
}

function route(operation: Operation, issuer: string): Markup {
  const parameters = operation.parameters ?? []
  return html` <article class="route" id="${operation.operationId}">
    <h3>
      <code><span class="method">${operation.method}</span> ${operation.path}</code>
    </h3>
    <p class="access">${accessOf(operation)}</p>
    <p>${operation.summary && prose(operation.summary)}</p>
    ${operation.description !== undefined && html`<p>${prose(operation.description)}</p>`}
    ${
      parameters.length > 0 &&
      html`<h4>Parameters</h4>
        ${parameterList(parameters)}`
    }
    ${body(operation)}
    <h4>Answers</h4>
    ${answers(operation)}
    <h4>Example</h4>
    <pre tabindex="0"><code>${curlOf(operation, issuer)}</code></pre>
  </article>`
}

function accessOf(operation: Operation): Markup {
  const scope = operation['x-postern-scope']
  return scope === undefined ? html`Public, no credential` : html`Needs the scope <code>${scope}</code>`
}

function parameterList(parameters: readonly Parameter[]): Markup {
  return html`<dl>
    ${parameters.map(
      (one) =>
        html` <dt>
            <code>${one.name}</code>
            <span class="type"
              >${PLACES[one.in] ?? one.in}, ${typeOf(one.schema)}${one.required && ', required'}</span
            >
          </dt>
          ${describe(one.description ?? one.schema.description)}`,
    )}
  </dl>`
}

const PLACES: Readonly<Record<string, string>> = {
  path: 'in the path',
  query: 'in the query',
  header: 'header',
}

function body(operation: Operation): Markup {
  const content = Object.entries(operation.requestBody?.content ?? {})
  return html`${content.map(
    ([type, { schema }]) =>
      html`<h4>Body, <code>${type}</code></h4>
        ${members(schema)}`,
  )}`
}

/** Depth is bounded: deeper members are named by their type alone. */
function members(schema: Schema, depth = 0): Markup {
  const rows = membersOf(schema)
  if (rows.length === 0) return depth === 0 ? html`<p>${typeOf(schema)}</p>` : html``
  return html`<dl>
    ${rows.map(
      ({ name, required, schema: member }) =>
        html` <dt>
            <code>${name}</code> <span class="type">${typeOf(member)}${required && ', required'}</span>
          </dt>
          ${describe(member.description)}
          ${depth < 3 && membersOf(member).length > 0 && html`<dd>${members(member, depth + 1)}</dd>`}`,
    )}
  </dl>`
}

function describe(text: string | undefined): Markup | false {
  return text !== undefined && text !== '' && html`<dd>${prose(text)}</dd>`
}

function answers(operation: Operation): Markup {
  const entries = Object.entries(operation.responses)
  const problems = entries.filter(([status]) => Number(status) >= 400)
  const good = entries.filter(([status]) => Number(status) < 400)
  return html`${good.map(([status, { description, content }]) => {
      const schema = Object.values(content ?? {})[0]?.schema
      const hasMembers = schema !== undefined && membersOf(schema).length > 0
      return hasMembers
        ? html`<details>
            <summary><code>${status}</code> ${description}</summary>
            ${members(schema)}
          </details>`
        : html`<p><code>${status}</code> ${description}</p>`
    })}
    <p>Problems: ${problems.map(([status], index) => html`${index > 0 && ', '}<code>${status}</code>`)}</p>`
}
