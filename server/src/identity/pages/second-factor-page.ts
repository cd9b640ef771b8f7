/** The second factor: the code of another device, or one of the recovery codes. */
import { html, type Markup, renderFormPage, type RenderedPage } from '../../http/index.ts'
import { type Application, leadsTo } from './application.ts'
import { type FormPlace, formStart, INVALID, problemBox } from './parts-page.ts'
import { waitInWords } from './wait-words.ts'

export interface SecondFactorView extends FormPlace {
  readonly application?: Application | undefined
  /** This browser's, and nobody else's. */
  readonly ticket: string
  readonly problem?: SecondFactorProblem | undefined
}

export type SecondFactorProblem =
  | { readonly code: 'wrong_code' }
  | { readonly code: 'throttled'; readonly retryAfterSeconds: number }

export function secondFactorPage(view: SecondFactorView): RenderedPage {
  const { action, application, ticket, problem } = view
  return renderFormPage({
    title: `${problem ? 'Error: ' : ''}Second factor – Postern`,
    leadsTo: leadsTo(application),
    body: html`<h1>Type the code</h1>
      <p>Open the authenticator app on your other device. It shows six digits for this account.</p>
      ${problem && problemBox(sentences(problem))}
      <form method="post" action="${action}">
        ${formStart(view)}
        <input type="hidden" name="ticket" value="${ticket}" />
        <div class="field">
          <label for="code">Code</label>
          <input
            id="code"
            name="code"
            type="text"
            autocomplete="one-time-code"
            autocapitalize="none"
            spellcheck="false"
            maxlength="40"
            required
            autofocus
            ${problem?.code === 'wrong_code' && INVALID}
          />
        </div>
        <button type="submit">Go on</button>
      </form>
      <p class="faint">Without that device, type one of your recovery codes instead. Each works once.</p>
      <p><a href="${action}">Begin again</a></p>`,
  })
}

function sentences(problem: SecondFactorProblem): Markup {
  return problem.code === 'throttled'
    ? html`<p><strong>Too many tries.</strong></p>
        <p>Wait ${waitInWords(problem.retryAfterSeconds)}, then try again.</p>`
    : html`<p><a href="#code">That code is not right, or it was used.</a></p>
        <p>Each code works once: wait for the next one.</p>`
}
