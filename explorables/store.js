/** The reader's progress, kept in this browser and nowhere else. */

const STORE_KEY = "bertbook";

/** Return {quiz: {key: {choice, right}}, read: {page: true}}. */
export function loadProgress() {
  try {
    const kept = JSON.parse(localStorage.getItem(STORE_KEY) || "{}");
    return { quiz: kept.quiz || {}, read: kept.read || {} };
  } catch {
    return { quiz: {}, read: {} };
  }
}

/** Keep the progress and tell the page's elements. */
export function saveProgress(progress) {
  try {
    localStorage.setItem(STORE_KEY, JSON.stringify(progress));
  } catch {
    // A browser that keeps nothing still shows the answers.
  }
  document.dispatchEvent(new CustomEvent("bertbook-progress"));
}
