// Pages to try, of our own writing.

export const examples = [
  { name: "Newspaper", file: "newspaper.txt" },
  { name: "Recipe blog", file: "recipe.txt" },
  { name: "Magazine, as HTML", file: "magazine.html" },
  { name: "German", file: "german.txt" },
  { name: "Arabic", file: "arabic.txt" },
];

/** The text of an example. */
export async function load(file) {
  const response = await fetch(`page/examples/${file}`);
  return response.text();
}
