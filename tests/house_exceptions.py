"""What the rules of the house do not hold for yet. These lists may only shrink."""

UPWARD: dict[str, set[str]] = {
    "pages.explaining.answers": {
        "jobs.forecasting.explained",
        "jobs.forecasting.page.words",
        "jobs.insight",
        "jobs.labelling.building",
        "jobs.labelling.explained",
    },
    "pages.explaining.material": {"jobs.labelling.explained", "jobs.insight"},
    "pages.sections.model": {"jobs.forecasting.page.report"},
}
ROOMS_KNOWN: dict[str, set[str]] = {
    "cli.demo": {"jobs.forecasting.frames", "jobs.forecasting.task"},
    "cli.demo_language": {"jobs.language.task"},
    "cli.fit": {
        "jobs.forecasting.task",
        "jobs.labelling.classifier",
        "jobs.labelling.regressor",
        "jobs.language.task",
        "jobs.tagging.task",
    },
    "cli.generate": {"jobs.language.task"},
    "cli.measure": {"jobs.forecasting.measures.backtest", "jobs.forecasting.measures.compare", "jobs.forecasting.task"},
    "cli.predict": {"jobs.forecasting.frames", "jobs.forecasting.task"},
    "jobs.transfer": {"jobs.language.task"},
    "pages.explaining.answers": {
        "jobs.forecasting.explained",
        "jobs.forecasting.page.words",
        "jobs.labelling.building",
        "jobs.labelling.explained",
    },
    "pages.explaining.material": {"jobs.labelling.explained"},
    "pages.sections.model": {"jobs.forecasting.page.report"},
}
PRIVATE: dict[str, set[str]] = {
    "cli.explain": {"_at_work"},
    "layers.accelerate": {"_parameters"},
    "pages.explaining.answers": {"_asked"},
    "pages.explaining.material": {"_at_work"},
    "pages.explaining.memory": {"_some_explained"},
    "pages.explaining.page": {"_at_work"},
    "pages.sections.data": {"_check_fitted"},
}
LONG_FUNCTIONS: dict[str, set[str]] = {
    "cli.demo": {"demo"},
    "cli.explain": {"explain"},
    "cli.measure": {"evaluate"},
    "jobs.forecasting.task": {"__init__"},
    "jobs.language.network": {"__init__"},
    "jobs.language.task": {"fit"},
}
LONG_FILES: set[str] = {"jobs.forecasting.task"}
CIRCLES: list[list[str]] = [
    ["kernels.fused", "kernels.fused_check", "kernels.twice"],
    ["layers.trace", "layers.trace_files", "layers.trace_parquet"],
    [
        "layers.base",
        "layers.draws",
        "layers.inputs",
        "layers.running",
        "layers.stepping",
        "layers.tokens",
        "layers.trace_chunks",
    ],
    ["jobs.language.task", "jobs.transfer"],
    ["data.tables.delimited", "data.tables.frames", "data.tables.table"],
    [
        "data.tables.encoding",
        "data.tables.fitting",
        "data.tables.future",
        "data.tables.table_codec",
        "data.tables.table_state",
    ],
    [
        "jobs.forecasting.files",
        "jobs.forecasting.running",
        "jobs.forecasting.stream",
        "jobs.forecasting.task",
        "jobs.forecasting.training",
    ],
    ["data.labels.label_lines", "data.labels.labelled", "data.signals.ts_files", "data.tables.long_tables"],
    ["jobs.labelling.building", "jobs.labelling.estimator", "jobs.labelling.stream"],
    ["jobs.tagging.building", "jobs.tagging.stream", "jobs.tagging.task"],
    [
        "jobs.forecasting.page.accuracy",
        "jobs.forecasting.page.report",
        "jobs.forecasting.page.table",
        "pages.sections.model",
    ],
]
