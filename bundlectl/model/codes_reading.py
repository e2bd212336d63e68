"""Diagnostic codes 0xx and 1xx: the command line's words, and reading YAML. Read through model.codes."""

from typing import NamedTuple


class Code(NamedTuple):
    """What a code stands for: a short title, and two or three sentences on what it means and what to do."""

    title: str
    explanation: str


# fmt: off
READING: dict[str, Code] = {
    "BND001": Code("Command line not understood",
        "A command, an option or a value is unknown, missing or given twice. Nothing was done. The message "
        "names the nearest known word; `bundlectl COMMAND --help` lists the options."),
    "BND101": Code("Bundle file not found",
        "No databricks.yml, databricks.yaml, bundle.yml or bundle.yaml is in this folder or above it, "
        "inside the repository. Change to the bundle's folder, name it with --bundle-root, or make one with "
        "`bundlectl init`."),
    "BND102": Code("Several bundle files in one folder",
        "A folder holds more than one of the file names that can start a bundle, so which one counts is a "
        "guess. Keep one and include the others from it."),
    "BND103": Code("Bundle file is empty",
        "The file has no content besides comments. A bundle needs at least `bundle: {name: ...}`."),
    "BND104": Code("Top level is not a mapping",
        "A bundle file is a map of keys such as `bundle`, `targets` and `resources`; this one is a list or "
        "a plain value. Put a key in front of what is there."),
    "BND105": Code("More than one YAML document",
        "A line `---` starts a second document, and only one can be read from a file. Split it into two "
        "files and name the second under `include`."),
    "BND106": Code("File is not UTF-8",
        "Bundle files are read as UTF-8. Save the file in that encoding; the message gives the first byte "
        "that does not fit."),
    "BND107": Code("Character not allowed",
        "The file holds a control character that YAML forbids, often a leftover of copying. Delete it at "
        "the place shown."),
    "BND108": Code("YAML syntax",
        "The text does not form YAML at this place: an unclosed quote or bracket, or a colon where a value "
        "continues. The caret is at the place where reading stopped; the cause may be on the line before."),
    "BND109": Code("Tab in indentation",
        "YAML is indented with spaces only. Replace the tab; most editors can do this for the whole file."),
    "BND110": Code("Unresolved merge conflict",
        "A line of git's conflict markers is in the file. Choose one side, delete the markers and commit "
        "the result."),
    "BND111": Code("Key given twice",
        "A map has the same key twice, and the later one would silently win. Both places are shown: delete "
        "or rename one."),
    "BND112": Code("Merge key given twice",
        "A map has `<<` twice. Give one `<<` a list of maps instead: `<<: [*first, *second]`."),
    "BND113": Code("Merge value is not a map",
        "`<<` takes an alias of a map, or a list of such aliases. Something else was given at this place."),
    "BND114": Code("Key is not text",
        "A key was read as a number, a truth value or a collection. Quote it if it is meant as text."),
    "BND115": Code("Integer does not fit in 64 bits",
        "No field takes an integer of this size. Quote the value if it is an identifier rather than a "
        "number."),
    "BND116": Code("Number is not finite",
        "Infinity and not-a-number have no place in a job. Give an ordinary number, or quote the word."),
    "BND117": Code("Tag not allowed",
        "YAML tags can make a reader build objects or run code, so none is accepted. Remove the tag; plain "
        "values need none."),
    "BND118": Code("Anchor not defined",
        "An alias `*name` refers to an anchor `&name` that no earlier line of this file defines. Anchors do "
        "not cross files; use a variable for that."),
    "BND119": Code("Anchor contains itself",
        "An alias lies inside the value that its own anchor names, so the value would never end. Break the "
        "circle."),
    "BND120": Code("File too large",
        "A bundle file may have 8 MiB. Split it and list the parts under `include`."),
    "BND121": Code("Bundle too large",
        "All files of a bundle together may have 128 MiB. A pattern under `include` probably matches more "
        "than it should."),
    "BND122": Code("Too many files",
        "A bundle may consist of 20,000 files. A pattern under `include` probably matches more than it "
        "should."),
    "BND123": Code("Nesting too deep",
        "Values may be nested 64 levels deep. Files that go deeper are damaged or made to exhaust memory."),
    "BND124": Code("Too many values",
        "One file may hold a million values. Split it and list the parts under `include`."),
    "BND125": Code("Too many aliases",
        "The file uses more aliases than any sensible bundle. Write the values out, or use variables."),
    "BND126": Code("Aliases expand too far",
        "Aliases that contain aliases multiply: written out, this file would be more than ten times its "
        "size. Replace the nesting by variables or plain values."),
    "BND127": Code("Value needs quotes",
        "The value starts with a character that means something else in YAML, such as `*`, `@` or `{{`. Put "
        "quotes around it; this is the usual case for schedules and for `{{...}}` references."),
    "BND128": Code("Bad escape in text",
        "A backslash sequence in double quotes names no character. Use single quotes if the backslash is "
        "meant as it stands."),
    "BND130": Code("Included file not found",
        "A name under `include` matches no file of the tree that was read. When the tree is a commit, the "
        "file must be committed."),
    "BND131": Code("Include pattern matches nothing",
        "A pattern under `include` finds no file. That is allowed, but usually a typing mistake."),
    "BND132": Code("Included file has the wrong type",
        "Only .yml, .yaml and .json files can be included. Rename the file or correct the pattern."),
    "BND133": Code("Include is absolute",
        "Includes are relative to the bundle root, so that a bundle means the same on every machine. Write "
        "a relative path."),
    "BND134": Code("Outside the source tree",
        "A path leads out of the repository. Only files of the tree that was read belong to a deployment."),
    "BND135": Code("Include outside the root file",
        "`include` works in the root file of the bundle only; here it has no effect. Move the entry there."),
    "BND137": Code("One resource per file",
        "A file named for one resource, like *.job.yml, holds several. It works; splitting it makes reviews "
        "easier."),
    "BND140": Code("Variable overrides file",
        "The file .databricks/bundle/<target>/variable-overrides.json is not a JSON map of variable names "
        "to values. Correct or remove it."),
}
