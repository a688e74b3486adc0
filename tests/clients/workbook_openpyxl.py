"""Makes a workbook with openpyxl, and compares one with another cell by cell.

  workbook_openpyxl.py make PATH
  workbook_openpyxl.py compare BEFORE AFTER CHANGED

CHANGED is JSON: {"Sheet!A1": value}; every other cell, style, size, rule, chart, note and name must be the same.
Exits with 3 where openpyxl is not installed.
"""

import datetime
import json
import sys

try:
    import openpyxl
    from openpyxl.chart import BarChart, LineChart, Reference
    from openpyxl.comments import Comment
    from openpyxl.formatting.rule import CellIsRule, ColorScaleRule
    from openpyxl.styles import Alignment, Border, Font, PatternFill, Side
    from openpyxl.workbook.defined_name import DefinedName
    from openpyxl.worksheet.datavalidation import DataValidation
except ImportError as error:
    print(error)
    sys.exit(3)

ROWS = [("A", "Apple", 10, 1.25), ("B", "Beet", 20, 2.5), ("C", "Corn", 30, 3.75), ("D", "Dill", 40, 0.1)]


def make(path):
    book = openpyxl.Workbook()
    stock = book.active
    stock.title = "Stock & more"
    stock["A1"] = "Stock of the shop"
    stock["A1"].font = Font(size=18, bold=True, color="FF0000")
    stock.merge_cells("A1:F1")
    head = ["sku", "name", "qty", "price", "since", "value"]
    for column, name in enumerate(head, 1):
        cell = stock.cell(3, column, name)
        cell.font = Font(bold=True)
        cell.fill = PatternFill("solid", fgColor="DDEEFF")
        cell.border = Border(bottom=Side(style="double"))
    for row, (sku, name, qty, price) in enumerate(ROWS, 4):
        stock.cell(row, 1, sku)
        stock.cell(row, 2, name).alignment = Alignment(wrap_text=True, indent=1)
        stock.cell(row, 3, qty).number_format = "#,##0"
        stock.cell(row, 4, price).number_format = '#,##0.00 "EUR"'
        stock.cell(row, 5, datetime.date(2024, 1, row)).number_format = "dd.mm.yyyy"
        stock.cell(row, 6, f"=C{row}*D{row}")
        stock.row_dimensions[row].height = 21
    stock.column_dimensions["B"].width = 33
    stock.freeze_panes = "B4"
    stock["B4"].comment = Comment("a note", "somebody")
    stock["A5"].hyperlink = "https://example.invalid/b"
    stock.conditional_formatting.add("C4:C99", CellIsRule(operator="lessThan", formula=["15"], font=Font(color="990000")))
    stock.conditional_formatting.add("D4:D99", ColorScaleRule(start_type="min", start_color="FFFFFF", end_type="max", end_color="00AA00"))
    choice = DataValidation(type="whole", operator="between", formula1="0", formula2="1000")
    choice.add("C4:C99")
    stock.add_data_validation(choice)
    chart = BarChart()
    chart.title = "Stock"
    chart.add_data(Reference(stock, min_col=3, min_row=3, max_row=7), titles_from_data=True)
    stock.add_chart(chart, "H3")
    other = book.create_sheet("Summary")
    other["A1"] = "total"
    other["B1"] = "=SUM('Stock & more'!F4:F7)"
    other["B2"] = datetime.datetime(2024, 1, 15, 9, 30)
    line = LineChart()
    line.add_data(Reference(stock, min_col=4, min_row=3, max_row=7))
    other.add_chart(line, "D2")
    other.sheet_properties.tabColor = "00FF00"
    hidden = book.create_sheet("Hidden")
    hidden.sheet_state = "hidden"
    hidden["Z99"] = "far away"
    book.defined_names["Prices"] = DefinedName("Prices", attr_text="'Stock & more'!$D$4:$D$7")
    stock.print_area = "A1:F7"
    book.save(path)


def look(cell):
    return (
        cell.number_format, repr(cell.font), repr(cell.fill), repr(cell.border), repr(cell.alignment), repr(cell.protection),
        cell.comment.text if cell.comment else None, cell.hyperlink.target if cell.hyperlink else None,
    )


def same(what, before, after):
    if before != after:
        print(f"{what}: {before!r} became {after!r}")
        sys.exit(1)


def plain(value):
    if isinstance(value, datetime.datetime):
        return value.date().isoformat() if value.time() == datetime.time() else value.isoformat()
    return value


def compare(before, after, changed):
    before, after = openpyxl.load_workbook(before), openpyxl.load_workbook(after)
    same("sheets", before.sheetnames, after.sheetnames)
    same("names", {n: d.attr_text for n, d in before.defined_names.items()}, {n: d.attr_text for n, d in after.defined_names.items()})
    cells = 0
    for name in before.sheetnames:
        old, new = before[name], after[name]
        # Asking for a cell makes it: the sizes are those of before.
        last, rows = old.max_row, max(old.max_row, new.max_row)
        columns = max(old.max_column, new.max_column)
        for what, of in [
            ("state", lambda s: s.sheet_state),
            ("merged", lambda s: sorted(map(str, s.merged_cells.ranges))),
            ("frozen", lambda s: s.freeze_panes),
            ("widths", lambda s: {k: (d.width, d.hidden) for k, d in s.column_dimensions.items()}),
            ("heights", lambda s: {k: d.height for k, d in s.row_dimensions.items() if k <= last}),
            ("charts", lambda s: [(type(c).__name__, len(c.series), c.anchor._from.row) for c in s._charts]),
            ("rules", lambda s: [(str(k.sqref), [r.type for r in v]) for k, v in s.conditional_formatting._cf_rules.items()]),
            ("validations", lambda s: [(str(v.sqref), v.type, v.formula1) for v in s.data_validations.dataValidation]),
            ("tab", lambda s: s.sheet_properties.tabColor),
            ("print area", lambda s: s.print_area),
        ]:
            same(f"{name}, {what}", of(old), of(new))
        for row in range(1, rows + 1):
            for column in range(1, columns + 1):
                cell, was = new.cell(row, column), old.cell(row, column)
                place = f"{name}!{cell.coordinate}"
                if place in changed:
                    same(place, changed[place], plain(cell.value))
                else:
                    same(place, was.value, cell.value)
                # A new row looks like the one above it, without its notes and links.
                above = row > last
                like = old.cell(last, column) if above else was
                same(f"{place}, look", look(like)[:6], look(cell)[:6])
                if not above:
                    same(f"{place}, notes", look(was)[6:], look(cell)[6:])
                cells += 1
    print(f"{cells} cells are as they were to be")


if sys.argv[1] == "make":
    make(sys.argv[2])
else:
    compare(sys.argv[2], sys.argv[3], json.loads(sys.argv[4]))
