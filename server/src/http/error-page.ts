/** What people see when something is refused or fails: what happened, what to do, and how to name it to somebody. */
import type { FastifyReply, FastifyRequest } from 'fastify'
import { sendFormPage, renderFormPage, type RenderedPage } from './form-page.ts'
import { html } from './page.ts'
import type { Problem } from './problem.ts'

export interface ErrorView {
  readonly title: string
  /** One sentence, safe to show a stranger. */
  readonly detail: string
  /** What to do next. */
  readonly remedy: string
  /** A stable code, and the request's id, which finds it in the log, if it is there. */
  readonly code: string
  readonly requestId?: string | undefined
}

export function errorPage({ title, detail, remedy, code, requestId }: ErrorView): RenderedPage {
  return renderFormPage({
    title: `${title} – Postern`,
    body: html`<h1>${title}</h1>
      <p>${detail}</p>
      <p>${remedy}</p>
      <p class="faint">
        Error <code>${code}</code>${requestId !== undefined && html`, request <code>${requestId}</code>`}
      </p>`,
  })
}

/** The problem that a page's route ran into. */
export function sendProblemPage(
  reply: FastifyReply,
  request: FastifyRequest,
  problem: Problem,
): FastifyReply {
  return sendFormPage(reply, problem.status, problemPage(problem, request.id))
}

export function problemPage({ code, title, detail, status }: Problem, requestId?: string): RenderedPage {
  return errorPage({ title, detail, remedy: remedyOf(status), code, requestId })
}

function remedyOf(status: number): string {
  if (status === 429 || status === 503) return 'Wait a moment, then go back and try again.'
  if (status >= 500) return 'Try again. If it happens again, tell whoever runs this service.'
  return 'Go back to the application that you came from, and start again from there.'
}
