// Reads a mail that is dropped on the field for one, or chosen as a file, into it.

const field = document.querySelector("[data-drop]");
const longest = Number(field.dataset.longest);

const help = document.getElementById("message-help");
const chooser = document.createElement("input");
chooser.type = "file";
chooser.accept = ".eml,.msg,.txt,message/rfc822,text/plain";
const label = document.createElement("label");
label.append("Or drop a file above, or choose one ", chooser);
help.before(label);
const said = document.createElement("p");
said.setAttribute("role", "status");
help.after(said);

chooser.addEventListener("change", () => read(chooser.files[0]));

for (const kind of ["dragenter", "dragover"]) {
  field.addEventListener(kind, (event) => {
    if (!event.dataTransfer.types.includes("Files")) return;
    event.preventDefault();
    field.classList.add("dropping");
  });
}
field.addEventListener("dragleave", () => field.classList.remove("dropping"));
field.addEventListener("drop", (event) => {
  field.classList.remove("dropping");
  if (!event.dataTransfer.files.length) return;
  event.preventDefault();
  read(event.dataTransfer.files[0]);
});

/**
 * Put the text of a file into the field; of a long one, its beginning: that has the header.
 *
 * @param {File | undefined} file
 */
async function read(file) {
  if (!file) return;
  try {
    // Each octet that is no UTF-8 becomes three.
    const part = file.slice(0, longest / 4);
    field.value = await part.text();
    const cut = part.size < file.size ? `, its first ${part.size} octets` : "";
    said.textContent = `Read ${file.name}${cut}.`;
  } catch {
    said.textContent = `${file.name} cannot be read.`;
  }
}
